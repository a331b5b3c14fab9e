/** `show`: everything that is stored of one actor. */
import type { DirectoryReader } from '@bailiwick/store'
import { addressOf, isBrokenJson, readAddress } from '../address.ts'
import type { Address } from '../address.ts'
import type { Answer, Command } from '../command.ts'
import { looking } from '../directory.ts'
import { ExitCode } from '../failure.ts'
import { faultOf } from '../fault.ts'
import { callOf, journalOf, leasesOf, turnOf, waitingOf } from '../parts.ts'
import { detailText } from '../parts-text.ts'
import type { Detail } from '../parts.ts'
import { parsed } from '../stored.ts'
import { visible } from '../text.ts'
import { timerOf } from './timers.ts'

const COMPOUND = 'A compound key is a JSON array of strings: bailiwick show DIR \'order/["eu","17"]\'.'

/** The command. */
export const show: Command = {
  summary: 'show one actor: its state, and everything that waits for it or belongs to it',
  positionals: ['DIR', 'TYPE/KEY'],
  options: ['full', 'json'],
  details: [
    COMPOUND,
    'The state of a journaled actor is that of its last snapshot; the events after it are its journal.',
    '--full shows inputs and events too.',
  ],
  run(call) {
    const { subject, options, world } = call
    const address = readAddress(subject, 'show')
    return looking(call, (reader): Answer => {
      const detail = detailOf(reader, address, options.full)
      if (detail === undefined) {
        const sentence = `There is no ${visible(addressOf(address))} in ${visible(reader.directory)}.`
        const hint = isBrokenJson(subject.slice(subject.indexOf('/') + 1)) ? ` Its key begins like JSON and is none. ${COMPOUND}` : ''
        return { json: null, text: () => '', remark: `NOT_FOUND: ${sentence}${hint} See \`bailiwick ps\`.`, exitCode: ExitCode.found }
      }
      return { json: detail, text: () => detailText(detail, world.now(), options.full, options.full ? undefined : world.columns) }
    })
  },
}

function detailOf(reader: DirectoryReader, address: Address, isFull: boolean): Detail | undefined {
  const { type, key } = address
  const found = reader.actor(type, key)
  if (found === undefined) return unstored(reader, address, isFull)
  const { shard, revision, version, bytes, events } = found
  return {
    actor: addressOf(address),
    type,
    key,
    shard,
    isStored: true,
    revision: revision + events.length,
    snapshotRevision: revision,
    version,
    bytes,
    state: parsed(found.snapshot),
    fault: faultOf(found, found.fault),
    waiting: found.inbox.map((row) => waitingOf(row, isFull)),
    timers: found.timersSet.map((row) => timerOf(row, isFull)),
    leases: leasesOf(found.leases),
    openCalls: found.openCalls.map((row) => callOf(row, isFull)),
    turns: found.turnRows.map((row) => turnOf(row, isFull)),
    journal: journalOf(events, isFull),
  }
}

/** An actor that has no state yet, but is held back or has commands that wait. */
function unstored(reader: DirectoryReader, address: Address, isFull: boolean): Detail | undefined {
  const { type, key } = address
  const [fault] = reader.faults({ type, key, limit: 1 })
  const inbox = reader.inbox({ type, key, limit: Number.MAX_SAFE_INTEGER })
  const shard = fault?.shard ?? inbox[0]?.shard
  if (shard === undefined) return undefined
  return {
    actor: addressOf(address),
    type,
    key,
    shard,
    isStored: false,
    revision: null,
    snapshotRevision: null,
    version: null,
    bytes: 0,
    state: null,
    fault: faultOf(address, fault?.detail),
    waiting: inbox.map((row) => waitingOf(row, isFull)),
    timers: [],
    leases: [],
    openCalls: [],
    turns: [],
    journal: [],
  }
}
