// An OrbitDB node as a child process. It reads one command per line of its standard input and writes
// one answer per line of its standard output, both JSON:
//
//   {"id":1,"cmd":"start","args":{"dir":"…"}}  ->  {"id":1,"ok":{…}}  or  {"id":1,"error":"…"}
//
// Commands run at the same time; an answer comes when its command is done. The process ends when its
// input does and soon after what was under way, so that none outlives who started it. What OrbitDB prints is kept for `stats`.

import { EventEmitter } from 'node:events'
import path from 'node:path'
import readline from 'node:readline'

import { multiaddr } from '@multiformats/multiaddr'
import { createOrbitDB } from '@orbitdb/core'

import { now, openDatabase, sleep } from './database.mjs'
import { addPath, listNames, readFile } from './files.mjs'
import { startPeer } from './peer.mjs'

const ERRORS_MAX = 200
const WAIT_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000
const POLL_MS = 20

// Every open database listens to the one pubsub service.
EventEmitter.defaultMaxListeners = 1000

const errors = []
const note = (...what) => {
  const text = what.map((part) => String(part?.stack ?? part)).join(' ')
  if (errors.length < ERRORS_MAX) errors.push(text)
  process.stderr.write(text + '\n')
}
console.error = console.warn = console.log = note
process.on('unhandledRejection', (error) => note('unhandled rejection:', error))
process.on('uncaughtException', (error) => note('uncaught exception:', error))

let peer
let peerDir
const databases = new Map()
const writers = []

const opened = (address) => {
  const database = databases.get(address)
  if (!database) throw new Error(`no open database ${address}`)
  return database
}

// Resolves when `condition` holds, which no event tells of.
const until = async (condition, what, timeoutMs = WAIT_TIMEOUT_MS) => {
  const began = now()
  while (!condition()) {
    if (now() - began > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await sleep(POLL_MS)
  }
  return { atMs: now() }
}

const subscribers = (db) => peer.libp2p.services.pubsub.getSubscribers(db).map(String)

const identity = () => {
  const { id, publicKey, hash } = peer.orbitdb.identity
  return { identity: id, publicKey, hash }
}

const commands = {
  async start ({ dir, id, blockstore, listen, swarmKey }) {
    peer = await startPeer({ dir, id, blockstore, listen, swarmKey })
    peerDir = dir
    return { peer: String(peer.libp2p.peerId), addrs: peer.libp2p.getMultiaddrs().map(String), ...identity() }
  },
  identity,

  async dial ({ addr }) {
    const connection = await peer.libp2p.dial(multiaddr(addr))
    return { peer: String(connection.remotePeer) }
  },
  async hangUp () {
    await Promise.all(peer.libp2p.getConnections().map((connection) => connection.close()))
    return {}
  },
  peers: ({ db }) => ({
    connected: peer.libp2p.getPeers().map(String),
    subscribed: db ? subscribers(db) : undefined,
    exchanged: db ? [...opened(db).db.peers] : undefined
  }),
  // Until `n` peers have subscribed to the database, and heads were exchanged with as many.
  waitPeers: ({ db, n, timeoutMs }) => {
    const { peers } = opened(db).db
    return until(() => subscribers(db).length >= n && peers.size >= n, `${n} peers at ${db}`, timeoutMs)
  },

  async open ({ address, name, ...options }) {
    const database = await openDatabase(peer.orbitdb, address ?? name, options)
    databases.set(database.db.address, database)
    return database.describe()
  },
  async close ({ db }) {
    await opened(db).db.close()
    databases.delete(db)
    return {}
  },
  async put ({ db, key, value }) { return { hash: await opened(db).put(key, value) } },
  async set ({ db, key, value }) { return { hash: await opened(db).put(key, value) } },
  async add ({ db, value }) { return { hash: await opened(db).db.add(value) } },
  async del ({ db, key }) { return { hash: await opened(db).db.del(key) } },
  putMany: ({ db, ...what }) => opened(db).putMany(what),
  putTimed: ({ db, ...what }) => opened(db).putMany({ ...what, timed: true }),
  async branch ({ db, n }) {
    while (writers.length < n) {
      const directory = path.join(peerDir, `writer-${writers.length}`)
      writers.push(await createOrbitDB({ ipfs: peer.helia, id: `writer-${writers.length}`, directory }))
    }
    return { hashes: await opened(db).branch(writers.slice(0, n)) }
  },

  async get ({ db, key }) { return { value: await opened(db).get(key) } },
  async all ({ db }) { return { all: await opened(db).all() } },
  async iterator ({ db, amount }) { return { all: await opened(db).iterator(amount) } },
  async count ({ db }) {
    const beganMs = now()
    return { n: (await opened(db).db.all()).length, tookMs: now() - beganMs }
  },
  async heads ({ db }) { return { heads: (await opened(db).db.log.heads()).map((head) => head.hash) } },

  async waitCount ({ db, n, timeoutMs = WAIT_TIMEOUT_MS }) {
    return { atMs: await opened(db).waitCount(n, timeoutMs) }
  },
  async waitKey ({ db, key, value, looking, timeoutMs = WAIT_TIMEOUT_MS }) {
    return { atMs: await opened(db).waitKey(key, value, timeoutMs, looking) }
  },
  async waitHeads ({ db, heads, timeoutMs = WAIT_TIMEOUT_MS }) {
    return { atMs: await opened(db).waitHeads(heads, timeoutMs) }
  },

  async grant ({ db, capability = 'write', identity }) {
    await opened(db).db.access.grant(capability, identity)
    return {}
  },
  async revoke ({ db, capability = 'write', identity }) {
    await opened(db).db.access.revoke(capability, identity)
    return {}
  },
  // Who has which capability.
  async access ({ db }) {
    const { access } = opened(db).db
    if (!access.capabilities) return { write: access.write }
    const all = Object.entries(await access.capabilities())
    return Object.fromEntries(all.map(([capability, ids]) => [capability, [...ids]]))
  },
  // Until `identity` has (`held`) the capability or has it no more.
  async waitAccess ({ db, capability = 'write', identity, held = true, timeoutMs = WAIT_TIMEOUT_MS }) {
    const { access } = opened(db).db
    const holds = async () => (await access.get(capability)).has(identity)
    const began = now()
    while (await holds() !== held) {
      if (now() - began > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${capability} of ${identity}`)
      await sleep(POLL_MS)
    }
    return { atMs: now() }
  },

  async fileAdd (what) { return { cid: String(await addPath(peer.helia, what)) } },
  async fileRead ({ timeoutMs = WAIT_TIMEOUT_MS, ...what }) {
    await readFile(peer.helia, { ...what, timeoutMs })
    return {}
  },
  async fileNames ({ timeoutMs = WAIT_TIMEOUT_MS, ...what }) {
    return { names: await listNames(peer.helia, { ...what, timeoutMs }) }
  },

  stats: ({ db }) => {
    const database = db ? opened(db) : undefined
    return {
      errors: [...errors, ...(database?.errors ?? [])],
      updates: database?.updates,
      latencies: database?.latencies
    }
  },
  rss: () => {
    globalThis.gc?.()
    return { bytes: process.memoryUsage().rss }
  },
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { ms: (user + system) / 1000 }
  },

  async stop () {
    for (const writer of writers) await writer.stop()
    await peer?.stop()
    return {}
  }
}

const run = async (line) => {
  let id
  try {
    const request = JSON.parse(line)
    id = request.id
    if (!Object.hasOwn(commands, request.cmd)) throw new Error(`no command ${request.cmd}`)
    const ok = await commands[request.cmd](request.args ?? {})
    answer({ id, ok })
    if (request.cmd === 'stop') end()
  } catch (error) {
    answer({ id, error: String(error?.stack ?? error) })
  }
}

const answer = (value) => process.stdout.write(JSON.stringify(value) + '\n')

const end = () => process.stdout.write('', () => process.exit(0))

const running = new Set()

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const task = run(line).finally(() => running.delete(task))
    running.add(task)
  })
  .on('close', async () => {
    setTimeout(end, STOP_GRACE_MS).unref()
    await Promise.all(running)
    await commands.stop().catch(note)
    end()
  })
