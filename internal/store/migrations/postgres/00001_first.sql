-- The same tables and columns as in ../sqlite: a test compares them. Texts sort
-- by their octets there: here the collation says so, for pages follow that order.

-- +goose Up

-- The counter of commits; its row is the lock of the one writer.
CREATE TABLE head (
    one        BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq        BIGINT NOT NULL, -- number of the newest commit
    epoch      BIGINT NOT NULL,
    floor      BIGINT NOT NULL, -- tombstones up to here are purged, and the commits before it
    floor_id   TEXT   COLLATE "C" NOT NULL, -- changes with every purge
    records    BIGINT NOT NULL, -- length of the chain of records
    audit_hash BYTEA  NOT NULL  -- hash of its newest row
);
INSERT INTO head (one, seq, epoch, floor, floor_id, records, audit_hash) VALUES (1, 0, 1, 0, '', 0, '');

CREATE TABLE commits (
    seq       BIGINT  NOT NULL PRIMARY KEY,
    epoch     BIGINT  NOT NULL,
    commit_id TEXT    COLLATE "C" NOT NULL,
    time      BIGINT  NOT NULL
);

CREATE TABLE objects (
    kind    TEXT    COLLATE "C" NOT NULL,
    id      TEXT    COLLATE "C" NOT NULL,
    seq     BIGINT  NOT NULL,
    version BIGINT  NOT NULL,
    deleted BIGINT  NOT NULL,
    keep    BIGINT  NOT NULL,
    sum     BIGINT  NOT NULL, -- CRC-32C of the other columns
    doc     BYTEA   NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX objects_seq ON objects (seq);
CREATE INDEX objects_deleted ON objects (seq) WHERE deleted = 1;

CREATE TABLE attrs (
    kind  TEXT COLLATE "C" NOT NULL,
    attr  TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    id    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, attr, value, id),
    FOREIGN KEY (kind, id) REFERENCES objects (kind, id)
);
CREATE INDEX attrs_object ON attrs (kind, id);

CREATE TABLE records (
    id          TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    n           BIGINT  UNIQUE, -- place in the store's chain; NULL: a copy of a record in a node's spool
    time        BIGINT  NOT NULL,
    node        TEXT    COLLATE "C" NOT NULL,
    class       TEXT    COLLATE "C" NOT NULL,
    actor       TEXT    COLLATE "C" NOT NULL,
    action      TEXT    COLLATE "C" NOT NULL,
    object_kind TEXT    COLLATE "C" NOT NULL,
    object_id   TEXT    COLLATE "C" NOT NULL,
    request_id  TEXT    COLLATE "C" NOT NULL,
    seq         BIGINT  NOT NULL,
    doc         BYTEA   NOT NULL,
    hash        BYTEA   NOT NULL -- of the chain; empty in a copy
);
CREATE INDEX records_object ON records (object_kind, object_id, id);
CREATE INDEX records_actor ON records (actor, id);
CREATE INDEX records_request ON records (request_id);
CREATE INDEX records_copies ON records (time) WHERE n IS NULL;

CREATE TABLE nodes (
    id            TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    version       TEXT   COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    epoch         BIGINT NOT NULL,
    commit_id     TEXT   COLLATE "C" NOT NULL,
    last_seen     BIGINT NOT NULL,
    spool_segment BIGINT NOT NULL, -- its spool is flushed up to there
    spool_offset  BIGINT NOT NULL,
    spool_hash    BYTEA  NOT NULL, -- of the line that ends there
    counted       BIGINT NOT NULL  -- what it answered before this time is counted in usage
);

CREATE TABLE usage (
    hour       BIGINT NOT NULL,
    issuer     TEXT   COLLATE "C" NOT NULL,
    client     TEXT   COLLATE "C" NOT NULL,
    credential TEXT   COLLATE "C" NOT NULL,
    api        TEXT   COLLATE "C" NOT NULL,
    outcome    TEXT   COLLATE "C" NOT NULL,
    count      BIGINT NOT NULL,
    PRIMARY KEY (hour, issuer, client, credential, api, outcome)
);
CREATE INDEX usage_client ON usage (client, hour);

CREATE TABLE last_used (
    client     TEXT   COLLATE "C" NOT NULL,
    credential TEXT   COLLATE "C" NOT NULL,
    used_at    BIGINT NOT NULL,
    request_id TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (client, credential)
);

CREATE TABLE segments (
    node       TEXT   COLLATE "C" NOT NULL,
    number     BIGINT NOT NULL,
    first_hash BYTEA  NOT NULL,
    last_hash  BYTEA  NOT NULL,
    records    BIGINT NOT NULL,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    PRIMARY KEY (node, number)
);

CREATE TABLE replay (
    key     TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);
CREATE INDEX replay_expires ON replay (expires);

CREATE TABLE meta (
    key   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
