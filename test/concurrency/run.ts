/**
 * Runs the campaigns outside of the test runner:
 *
 *     node test/concurrency/run.ts --schedules 100000 --seed 1 [--only text] [--workers 2] [--json] [--stop-at-first] [--no-shrink]
 *
 * `--chunk` is how many schedules a worker process runs before it is replaced, so that memory stays flat; each chunk has a seed
 * of its own. Exits with 1 if anything failed, if what should come true never did, or if a kind of fault never struck.
 */
import { fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { campaigns } from './campaigns.ts'
import { describeTotals, idleFaults, runCampaign, shareOut, totalsOf } from './share-out.ts'
import type { CampaignResult } from './share-out.ts'

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    workers: { type: 'string', default: '2' },
    chunk: { type: 'string', default: '20000' },
    json: { type: 'boolean', default: false },
    'stop-at-first': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
})

/** One piece of work: a campaign by its name, so many of its schedules. */
interface Piece {
  readonly campaign: string
  readonly schedules: number
  readonly seed: number
}

const shrinkRuns = values['no-shrink'] ? 0 : 500
const isJson = values.json
const chosen = campaigns.filter(({ name, skip }) => skip === undefined && (values.only === undefined || name.includes(values.only)))

if (process.send === undefined) process.exitCode = await main()
else process.on('message', (piece: Piece) => void serve(piece))

/** What a worker process does: one piece after the other, until nobody sends any more. */
async function serve({ campaign: name, schedules, seed }: Piece): Promise<void> {
  const campaign = campaigns.find((candidate) => candidate.name === name)
  if (campaign !== undefined) process.send?.(await runCampaign(campaign, schedules, { seed, shrinkRuns }))
}

async function main(): Promise<number> {
  const begun = performance.now()
  const pieces = piecesOf(Number(values.schedules), Number(values.chunk), Number(values.seed))
  const results: CampaignResult[] = []
  const work = async (): Promise<void> => {
    let worker = startWorker()
    let served = 0
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      if (served > 0 && served + piece.schedules > Number(values.chunk)) {
        worker.kill()
        worker = startWorker()
        served = 0
      }
      served += piece.schedules
      const result = await ask(worker, piece)
      results.push(result)
      if (result.error !== undefined && values['stop-at-first']) pieces.length = 0
    }
    worker.kill()
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(values.workers)) }, work))
  return report(results, performance.now() - begun)
}

/** The whole in pieces of at most a chunk, the campaigns in turns, each piece with a seed of its own. */
function piecesOf(total: number, chunk: number, seed: number): Piece[] {
  const pieces: Piece[] = []
  const left = shareOut(chosen, total).map(([{ name }, schedules]) => ({ name, schedules }))
  for (let round = 0; left.some(({ schedules }) => schedules > 0); round += 1) {
    for (const campaign of left) {
      const schedules = Math.min(campaign.schedules, chunk)
      if (schedules > 0) pieces.push({ campaign: campaign.name, schedules, seed: seed + round })
      campaign.schedules -= schedules
    }
  }
  // The long ones first, so that the workers end together.
  return pieces.toSorted((one, other) => other.schedules - one.schedules)
}

function startWorker(): ReturnType<typeof fork> {
  return fork(import.meta.filename, process.argv.slice(2), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/** Has a worker run a piece. A worker that dies has failed. */
async function ask(worker: ReturnType<typeof fork>, piece: Piece): Promise<CampaignResult> {
  return await new Promise((resolve) => {
    const onExit = (code: number | null): void => {
      const faults = totalsOf([]).faults
      resolve({
        campaign: piece.campaign,
        schedules: 0,
        distinct: 0,
        steps: 0,
        ms: 0,
        faults,
        unmet: [],
        error: `the worker ended with ${String(code)}`,
      })
    }
    worker.once('exit', onExit)
    worker.once('message', (result) => {
      worker.off('exit', onExit)
      resolve(result as CampaignResult) // Sent by `serve`.
    })
    worker.send(piece)
  })
}

function report(results: readonly CampaignResult[], ms: number): number {
  const totals = totalsOf(results)
  const idle = values.only === undefined && !values['stop-at-first'] ? idleFaults(totals) : []
  const failed = results.flatMap(({ campaign, schedules, error }) => (error === undefined ? [] : [{ campaign, schedules, error }]))
  const unmet = unmetOf(results)
  const isOk = failed.length === 0 && idle.length === 0 && unmet.length === 0
  if (isJson) {
    console.log(JSON.stringify({ ok: isOk, failed, unmet, idle, ms: Math.round(ms), ...totals }))
    return isOk ? 0 : 1
  }
  for (const [campaign, own] of Map.groupBy(results, (result) => result.campaign)) {
    const { schedules, distinct, steps } = totalsOf(own)
    const rate = Math.round((schedules / own.reduce((sum, result) => sum + result.ms, 0)) * 1_000)
    const errors = own.flatMap(({ error }) => error ?? [])
    console.log(
      `${errors.length === 0 ? 'ok    ' : 'FAILED'} ${campaign}: ${schedules} schedules, ${distinct} distinct, ${steps} steps, ${rate} schedules/s`,
    )
    for (const error of errors) console.log(`       ${error}`)
  }
  for (const name of unmet) console.log(`UNMET  ${name}`)
  for (const kind of idle) console.log(`UNMET  no ${kind} has struck`)
  console.log(describeTotals(totals, ms))
  return isOk ? 0 : 1
}

/** What came true in no piece of a campaign. */
function unmetOf(results: readonly CampaignResult[]): readonly string[] {
  return [...Map.groupBy(results, (result) => result.campaign)].flatMap(([campaign, own]) => {
    const [first] = own
    return (first?.unmet ?? [])
      .filter((name) => own.every(({ unmet, error }) => error === undefined && unmet.includes(name)))
      .map((name) => `${campaign}: ${name}`)
  })
}
