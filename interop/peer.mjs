// One peer: libp2p, Helia and OrbitDB, set up so that a machine can hold many of them.
//
// Blocks come from connected peers over bitswap and from nowhere else: no gateways, no routing. What
// an OrbitDB node does by default and a test on one address cannot live with is switched off: the
// limit of 5 inbound connections a second from one address, and the score that shuts out the
// fifteenth peer from one address.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { bitswap } from '@helia/block-brokers'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { createOrbitDB } from '@orbitdb/core'
import { MemoryBlockstore } from 'blockstore-core'
import { LevelBlockstore } from 'blockstore-level'
import { createHelia } from 'helia'
import { createLibp2p } from 'libp2p'

const INBOUND_PER_SECOND_MAX = 1000

// The key that the peer id follows from, kept in `dir` so that a restarted peer is the same one.
const hostKey = async (dir) => {
  const file = path.join(dir, 'host.key')
  try {
    return privateKeyFromProtobuf(await readFile(file))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  const key = await generateKeyPair('Ed25519')
  await writeFile(file, privateKeyToProtobuf(key), { mode: 0o600 })
  return key
}

// Starts a peer whose data is in `dir`. `id` names its identity, `listen` is where others reach it.
// `swarmKey` is the file of a private network's key.
export const startPeer = async (options) => {
  const { dir, id = 'peer', blockstore = 'level', listen = '/ip4/127.0.0.1/tcp/0', swarmKey } = options
  await mkdir(dir, { recursive: true })
  const libp2p = await createLibp2p({
    privateKey: await hostKey(dir),
    addresses: { listen: [listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...(swarmKey && { connectionProtector: preSharedKey({ psk: await readFile(swarmKey) }) }),
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { inboundConnectionThreshold: INBOUND_PER_SECOND_MAX },
    services: {
      identify: identify(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, scoreParams: { IPColocationFactorWeight: 0 } })
    }
  })
  const blocks = blockstore === 'memory' ? new MemoryBlockstore() : new LevelBlockstore(path.join(dir, 'blocks'))
  await blocks.open?.()
  const helia = await createHelia({ libp2p, blockstore: blocks, blockBrokers: [bitswap()], routers: [] })
  const orbitdb = await createOrbitDB({ ipfs: helia, id, directory: path.join(dir, 'orbitdb') })
  const stop = async () => {
    await orbitdb.stop()
    await helia.stop()
    await blocks.close?.()
  }
  return { libp2p, helia, orbitdb, stop }
}
