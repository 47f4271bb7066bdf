// One open database: reading, writing, and waiting for what others write.
//
// Waits follow the `update` events of the database. OrbitDB raises one per joined head, not one per
// entry, so most waits look at the whole state after an update. A look walks the whole log; looks
// are therefore made one at a time, with a pause after each as long as the look took.

import { Documents, IPFSAccessController, OrbitDBAccessController } from '@orbitdb/core'

const LATENCIES_MAX = 100_000
const PAUSE_MIN_MS = 5

// Milliseconds of the clock that all processes of a machine share.
export const now = () => Number(process.hrtime.bigint()) / 1e6

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const filler = 'The quick brown fox jumps over the lazy dog. '

// The document number `n`: about `size` bytes of JSON.
export const document = (n, { prefix = 'doc-', size = 300, extra = {} } = {}) => {
  const value = { _id: prefix + String(n).padStart(8, '0'), n, group: n % 100, text: '', ...extra }
  const missing = Math.max(0, size - JSON.stringify(value).length)
  value.text = filler.repeat(Math.ceil(missing / filler.length)).slice(0, missing)
  return value
}

// Equality of JSON values; the order of keys does not matter.
const same = (a, b) => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]))
}

const accessController = ({ access, write }) => {
  if (access === 'orbitdb') return OrbitDBAccessController({ write })
  return IPFSAccessController({ write })
}

// Opens `target`, the address of a database or the name of a new one.
//   type, write, access ("ipfs" or "orbitdb"), indexBy: of a new one
//   sync: false opens it without telling any peer
//   lawless: true lets this peer append without looking at the write list, as a hostile one does
export const openDatabase = async (orbitdb, target, { type, write, access, indexBy, sync, lawless }) => {
  const options = { type, sync }
  if (!target.startsWith('/orbitdb/')) options.AccessController = accessController({ access, write })
  if (indexBy) options.Database = Documents({ indexBy })
  const db = await orbitdb.open(target, options)
  if (lawless) db.access.canAppend = async () => true
  return new Database(db)
}

class Database {
  constructor (db) {
    this.db = db
    this.updates = 0
    this.errors = []
    this.latencies = []
    this.waits = new Set()
    this.looking = false
    this.stale = false
    db.events.on('update', (entry) => this.#updated(entry))
    db.events.on('error', (error) => this.errors.push(String(error?.stack ?? error)))
  }

  describe () {
    const { address, name, type, access } = this.db
    return { address, name, type, access: { type: access.type, address: access.address, write: access.write } }
  }

  // Every value as [key, value], oldest first; of an event its hash stands for the key.
  async all () {
    const pairs = []
    for (const { key, hash, value } of await this.db.all()) pairs.push([key ?? hash, value])
    return pairs
  }

  // The newest `amount` values as [key, value].
  async iterator (amount) {
    const pairs = []
    for await (const { key, hash, value } of this.db.iterator({ amount })) pairs.push([key ?? hash, value])
    return pairs
  }

  async get (key) {
    const found = await this.db.get(key)
    return (this.db.type === 'documents' ? found?.value : found) ?? null
  }

  async put (key, value) {
    if (this.db.type === 'documents') return await this.db.put(value)
    return await this.db.put(key, value)
  }

  // Puts the documents `from` to `from + n`, one after the other, `gapMs` apart, or adds them where
  // this is a log of events. Each bears the time at which it was put, where `timed` is set.
  async putMany ({ from, n, gapMs = 0, timed = false, prefix, size }) {
    const beganMs = now()
    for (let i = from; i < from + n; i++) {
      const value = document(i, { prefix, size, extra: timed ? { putMs: now() } : {} })
      if (this.db.type === 'events') await this.db.add(value)
      else await this.put(value._id, value)
      if (gapMs > 0) await sleep(gapMs)
    }
    return { beganMs, endedMs: now() }
  }

  // Joins heads that `n` identities write without knowing of each other, so that the log gets as many
  // heads more. `writers` are OrbitDB instances on the blocks of this peer.
  async branch (writers) {
    const hashes = []
    for (const [index, writer] of writers.entries()) {
      const offline = await writer.open(this.db.address, { sync: false })
      const value = { _id: `branch-${index}`, writer: index }
      if (offline.type === 'events') await offline.add(value)
      else if (offline.type === 'documents') await offline.put(value)
      else await offline.put(value._id, value)
      for (const head of await offline.log.heads()) {
        await this.db.log.joinEntry(head)
        hashes.push(head.hash)
      }
      await offline.close()
    }
    return hashes
  }

  // Resolves with the time when there are `n` values or more.
  async waitCount (n, timeoutMs) {
    let last
    const look = async () => { last = (await this.db.all()).length; return last >= n }
    return await this.#wait({ look }, timeoutMs, () => `${last} of ${n} values`)
  }

  // Resolves with the time when `key` has `value`; null waits until it is absent, undefined until it
  // is there. Without `looking` only an update that is the put of that key counts.
  async waitKey (key, value, timeoutMs, looking = true) {
    let last
    const look = async () => {
      last = await this.get(key)
      return value === undefined ? last !== null : same(last, value)
    }
    const told = (entry) => value === undefined && entry.payload.op === 'PUT' && entry.payload.key === key
    return await this.#wait(looking ? { look, told } : { told }, timeoutMs, () => `${key} is ${JSON.stringify(last)}`)
  }

  // Resolves with the time when the log has these heads and no other.
  async waitHeads (hashes, timeoutMs) {
    let last
    const wanted = [...hashes].sort().join()
    const look = async () => {
      last = (await this.db.log.heads()).map((head) => head.hash)
      return last.toSorted().join() === wanted
    }
    return await this.#wait({ look }, timeoutMs, () => `the heads are ${last}`)
  }

  #wait ({ look, told }, timeoutMs, describe) {
    return new Promise((resolve, reject) => {
      const wait = { look, told }
      const timer = setTimeout(() => {
        this.waits.delete(wait)
        reject(new Error(`not within ${timeoutMs} ms: ${describe()}`))
      }, timeoutMs)
      wait.settle = () => {
        clearTimeout(timer)
        this.waits.delete(wait)
        resolve(now())
      }
      wait.fail = (error) => {
        clearTimeout(timer)
        this.waits.delete(wait)
        reject(error)
      }
      this.waits.add(wait)
      if (look) this.#look()
    })
  }

  #updated (entry) {
    this.updates += 1
    const { putMs } = entry.payload.value ?? {}
    if (putMs !== undefined && this.latencies.length < LATENCIES_MAX) this.latencies.push(now() - putMs)
    for (const wait of [...this.waits]) if (wait.told?.(entry)) wait.settle()
    this.#look()
  }

  async #look () {
    this.stale = true
    if (this.looking) return
    this.looking = true
    while (this.stale) {
      this.stale = false
      const waits = [...this.waits].filter((wait) => wait.look)
      const began = now()
      for (const wait of waits) {
        try {
          if (await wait.look()) wait.settle()
        } catch (error) {
          wait.fail(error)
        }
      }
      if (waits.length > 0) await sleep(Math.max(PAUSE_MIN_MS, now() - began))
    }
    this.looking = false
  }
}
