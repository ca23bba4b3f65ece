-- The same tables and columns as in ../postgres: a test compares them. Only
-- types, storage options and the search index differ.

-- +goose Up

-- The counter of commits; its row is the lock of the one writer.
CREATE TABLE head (
    one        BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq        BIGINT NOT NULL, -- number of the newest commit
    epoch      BIGINT NOT NULL,
    floor      BIGINT NOT NULL, -- tombstones up to here are purged, and the commits before it
    floor_id   TEXT   NOT NULL, -- changes with every purge
    records    BIGINT NOT NULL, -- length of the chain of records
    audit_hash BLOB   NOT NULL  -- hash of its newest row
);
INSERT INTO head (one, seq, epoch, floor, floor_id, records, audit_hash) VALUES (1, 0, 1, 0, '', 0, X'');

CREATE TABLE commits (
    seq       INTEGER NOT NULL PRIMARY KEY,
    epoch     BIGINT  NOT NULL,
    commit_id TEXT    NOT NULL,
    time      BIGINT  NOT NULL
);

CREATE TABLE objects (
    rid     INTEGER NOT NULL PRIMARY KEY, -- what the search index points to
    kind    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    seq     BIGINT  NOT NULL,
    version BIGINT  NOT NULL,
    deleted BIGINT  NOT NULL,
    keep    BIGINT  NOT NULL,
    sum     BIGINT  NOT NULL, -- CRC-32C of the other columns
    doc     BLOB    NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX objects_seq ON objects (seq);
CREATE INDEX objects_deleted ON objects (seq) WHERE deleted = 1;

CREATE TABLE attrs (
    kind  TEXT NOT NULL,
    attr  TEXT NOT NULL,
    value TEXT NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (kind, attr, value, id),
    FOREIGN KEY (kind, id) REFERENCES objects (kind, id)
) WITHOUT ROWID;
CREATE INDEX attrs_object ON attrs (kind, id);

-- Substrings of ids and names. Contentless: the texts stay where they are.
CREATE VIRTUAL TABLE search USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'trigram');

-- +goose StatementBegin
CREATE TRIGGER search_add AFTER INSERT ON attrs WHEN NEW.attr = 'name' BEGIN
    INSERT OR REPLACE INTO search (rowid, text)
    SELECT o.rid, o.id || char(10) || group_concat(a.value, char(10))
    FROM objects o JOIN attrs a ON a.kind = o.kind AND a.id = o.id AND a.attr = 'name'
    WHERE o.kind = NEW.kind AND o.id = NEW.id
    GROUP BY o.rid, o.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER search_remove AFTER DELETE ON attrs WHEN OLD.attr = 'name' BEGIN
    DELETE FROM search WHERE rowid = (SELECT rid FROM objects WHERE kind = OLD.kind AND id = OLD.id);
END;
-- +goose StatementEnd

CREATE TABLE records (
    id          TEXT    NOT NULL PRIMARY KEY,
    n           BIGINT  UNIQUE, -- place in the store's chain; NULL: a copy of a record in a node's spool
    time        BIGINT  NOT NULL,
    node        TEXT    NOT NULL,
    class       TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    seq         BIGINT  NOT NULL,
    doc         BLOB    NOT NULL,
    hash        BLOB    NOT NULL -- of the chain; empty in a copy
);
CREATE INDEX records_object ON records (object_kind, object_id, id);
CREATE INDEX records_actor ON records (actor, id);
CREATE INDEX records_request ON records (request_id);
CREATE INDEX records_copies ON records (time) WHERE n IS NULL;

CREATE TABLE nodes (
    id            TEXT   NOT NULL PRIMARY KEY,
    version       TEXT   NOT NULL,
    seq           BIGINT NOT NULL,
    epoch         BIGINT NOT NULL,
    commit_id     TEXT   NOT NULL,
    last_seen     BIGINT NOT NULL,
    spool_segment BIGINT NOT NULL, -- its spool is flushed up to there
    spool_offset  BIGINT NOT NULL,
    spool_hash    BLOB   NOT NULL, -- of the line that ends there
    counted       BIGINT NOT NULL  -- what it answered before this time is counted in usage
);

CREATE TABLE usage (
    hour       BIGINT NOT NULL,
    issuer     TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    api        TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    count      BIGINT NOT NULL,
    PRIMARY KEY (hour, issuer, client, credential, api, outcome)
) WITHOUT ROWID;
CREATE INDEX usage_client ON usage (client, hour);

CREATE TABLE last_used (
    client     TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    used_at    BIGINT NOT NULL,
    request_id TEXT   NOT NULL,
    PRIMARY KEY (client, credential)
) WITHOUT ROWID;

CREATE TABLE segments (
    node       TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    first_hash BLOB   NOT NULL,
    last_hash  BLOB   NOT NULL,
    records    BIGINT NOT NULL,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    PRIMARY KEY (node, number)
) WITHOUT ROWID;

CREATE TABLE replay (
    key     TEXT   NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX replay_expires ON replay (expires);

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
