// Files on a peer: UnixFS over its Helia. Bytes come from files and go to files.

import { createReadStream, createWriteStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { unixfs } from '@helia/unixfs'
import { CID } from 'multiformats/cid'

// Adds a file, or a directory with the files in it, and returns its address.
export const addPath = async (helia, { from, profile, directory = false }) => {
  const fs = unixfs(helia)
  if (!directory) return fs.addByteStream(createReadStream(from), { profile })
  const names = await readdir(from)
  const files = names.map((name) => ({ path: name, content: createReadStream(path.join(from, name)) }))
  let root
  for await (const added of fs.addAll(files, { profile, wrapWithDirectory: true })) root = added.cid
  return root
}

// Reads a file to a place on the disk.
export const readFile = async (helia, { cid, to, path: within, timeoutMs }) => {
  const fs = unixfs(helia)
  const signal = AbortSignal.timeout(timeoutMs)
  await pipeline(Readable.from(fs.cat(CID.parse(cid), { path: within, signal })), createWriteStream(to))
}

// The names in a directory.
export const listNames = async (helia, { cid, timeoutMs }) => {
  const names = []
  const signal = AbortSignal.timeout(timeoutMs)
  for await (const entry of unixfs(helia).ls(CID.parse(cid), { signal })) names.push(entry.name)
  return names
}
