// An API in Node that checks access tokens by itself and follows the issuer's
// revocation set, as docs/revocation-set.md says. Nothing but Node 20 is needed.
//
//   node validator.mjs ISSUER AUDIENCE PORT
import { createHash, createPublicKey, verify } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [issuer, audience, port] = process.argv.slice(2)
const now = () => Math.floor(Date.now() / 1000)
const MAX_AGE = 30 // seconds since the issuer was heard: from then on tokens are refused with 503

async function get (url, timeout = 10_000) {
  const resp = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeout) })
  if (resp.status !== 200) throw Object.assign(new Error(`${url}: ${resp.status}`), { retryAfter: Number(resp.headers.get('retry-after')) || 0 })
  const parts = []
  let size = 0
  for await (const part of resp.body) {
    if ((size += part.length) > 32 << 20) throw new Error(`${url}: more than 32 MiB`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

// Keys by kid, fetched again when one is missing, at most once in 30 seconds.
function keySet (url, pick) {
  let keys = new Map(); let fetched = -Infinity; let fetching
  return async kid => {
    if (!keys.has(kid) && Math.abs(now() - fetched) >= 30) {
      fetched = now()
      fetching = get(url).then(text => { keys = new Map(JSON.parse(text).keys.filter(pick).map(k => [k.kid, createPublicKey({ key: k, format: 'jwk' })])) })
        .catch(err => { throw Object.assign(new Error(err.message), { away: true }) })
    }
    if (!keys.has(kid)) await fetching
    if (!keys.has(kid)) throw new Error('no such key')
    return keys.get(kid)
  }
}

const decode = text => {
  const octets = Buffer.from(text, 'base64url')
  if (octets.toString('base64url') !== text) throw new Error('not base64url')
  return octets
}

// The header and the payload of a JWS of this typ, when the signature is right.
async function open (text, alg, typ, keyOf) {
  const parts = text.split('.')
  if (parts.length !== 3) throw new Error('not a JWS')
  const [header, payload] = parts.slice(0, 2).map(p => JSON.parse(decode(p)))
  if (header.alg !== alg || header.typ !== typ || 'crit' in header) throw new Error('another kind of JWS')
  const key = { key: await keyOf(header.kid), dsaEncoding: 'ieee-p1363' }
  if (!verify(alg === 'EdDSA' ? null : 'sha256', `${parts[0]}.${parts[1]}`, key, decode(parts[2]))) throw new Error('wrong signature')
  return { header, payload }
}

const metadata = JSON.parse(await get(`${issuer}/.well-known/openid-configuration`))
if (metadata.issuer !== issuer) throw new Error('the metadata is that of another issuer')
const tokenKeys = keySet(metadata.jwks_uri, k => k.kty === 'EC' && k.crv === 'P-256')
const feedKeys = keySet(metadata.symbolon_revocations_jwks_uri, k => k.kty === 'OKP' && k.crv === 'Ed25519')

// What is denied: entries by key, pending denials by id, and the position.
const held = { epoch: -1, seq: -1, journal: '', heard: -Infinity, entries: new Map(), pending: new Map() }

async function take (text) {
  const { payload: s } = await open(text, 'EdDSA', 'symbolon-revocations+jwt', feedKeys)
  const positive = [s.as_of, s.exp, ...s.entries.flatMap(e => e.slice(1)), ...s.pending.map(p => p[2])]
  const integers = [s.epoch, s.seq, s.since ?? 0, ...positive]
  const texts = [s.journal ?? '', ...s.merged, ...s.pending.map(p => p[0])]
  if (!integers.every(n => Number.isSafeInteger(n) && n >= 0) || positive.includes(0) || !texts.every(t => typeof t === 'string') || s.pending.some(p => p[0] === '') ||
    !s.entries.every(e => (e.length === 2 || e.length === 3) && decode(e[0]).length === 16) ||
    !s.pending.every(p => p.length === 3 && decode(p[1]).length === 16)) throw new Error('not a revocation set')
  if (s.iss !== issuer || s.exp + 60 <= now()) throw new Error('another issuer, or too old')
  if (s.epoch < held.epoch || (s.epoch === held.epoch && s.seq < held.seq)) throw new Error('older than what is held')
  if (s.since && (s.epoch !== held.epoch || s.since > held.seq)) { held.whole = true; throw new Error('a difference to something else') }
  if (!s.since) held.entries.clear()
  for (const [key, expires, n = Infinity] of s.entries) {
    const [e, m] = held.entries.get(key) ?? [0, 0]
    held.entries.set(key, [Math.max(e, expires), Math.max(m, n)])
  }
  for (const [id, key, expires] of s.pending) held.pending.set(id, [expires, key])
  for (const id of s.merged) held.pending.delete(id)
  for (const map of [held.entries, held.pending]) for (const [k, [expires]] of map) if (expires + 60 < now()) map.delete(k)
  const journal = s.pending.length + s.merged.length > 0 || s.journal === held.journal ? s.journal ?? '' : '' // or made for another validator
  Object.assign(held, { epoch: s.epoch, seq: s.seq, journal, heard: now(), whole: false })
}

async function follow () {
  for (let pause = 500, wait = 20; ;) {
    try {
      const query = held.epoch < 0 || held.whole ? '' : `?since=${held.seq}&epoch=${held.epoch}&wait=${wait}&journal=${encodeURIComponent(held.journal)}`
      const earliest = sleep(200)
      await take(await get(metadata.symbolon_revocations_uri + query, (wait + 10) * 1000))
      await earliest;
      [pause, wait] = [500, 20]
    } catch (err) {
      console.error(`the revocation set: ${err.message}`)
      await sleep(Math.max(pause * (1 + Math.random() / 5), Math.min(err.retryAfter ?? 0, 60) * 1000));
      [pause, wait] = [Math.min(pause * 2, 10_000), 0] // who is back is heard at once
    }
  }
}

const keyOf = (...parts) => createHash('sha256').update(parts.join('\n')).digest().subarray(0, 16).toString('base64url')

function denied (c, kid) {
  if (!Number.isSafeInteger(c.gen) || typeof c.cred !== 'string') return true
  const pending = new Set([...held.pending.values()].map(([, key]) => key))
  return [['client', c.client_id], ['client_api', c.client_id, audience], ['issuer', issuer], ['credential', c.client_id, c.cred], ['jti', c.jti], ['kid', kid]]
    .some(parts => c.gen < (held.entries.get(keyOf(held.epoch, ...parts))?.[1] ?? -1) || pending.has(keyOf(0, ...parts)))
}

createServer(async (req, resp) => {
  const refuse = (status, description) => resp.writeHead(status, status === 401 ? { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${description}"` } : {}).end()
  try {
    if (Math.abs(now() - held.heard) > MAX_AGE) return refuse(503)
    const token = /^Bearer ([\w.-]+)$/i.exec(req.headers.authorization ?? '')?.[1]
    const { header, payload: c } = await open(token ?? '', 'ES256', 'at+jwt', tokenKeys)
    if (c.iss !== issuer || ![c.aud].flat().includes(audience) || !(c.exp + 10 > now()) || c.cnf) return refuse(401, 'the access token is not for this API')
    if (denied(c, header.kid)) return refuse(401, 'the access token was revoked: ask for a new one')
    resp.end(`hello ${c.client_id}\n`)
  } catch (err) { err.away ? refuse(503) : refuse(401, 'the access token cannot be used') }
}).listen(port, '127.0.0.1', function () { console.log(`listening on ${this.address().port}`) })
follow()
