/** Three workers find a credential out of date at once; one of them refreshes it. `node main.ts [DIRECTORY]` */
import { BailiwickError, openSystem } from '@bailiwick/kernel'
import type { RefOf } from '@bailiwick/kernel'
import { credential } from './credential.actor.ts'

/** Stands for the provider, which takes every refresh token once. */
const used = new Set<string>()
async function exchange(refresh: string): Promise<{ access: string; refresh: string }> {
  if (used.has(refresh)) throw new Error('locked out')
  used.add(refresh)
  return { access: `a for ${refresh}`, refresh: `r after ${refresh}` }
}

async function refresh(ref: RefOf<typeof credential>, owner: string, stale: number): Promise<string> {
  await using lease = await ref.lease('refresh').acquire({ owner, ttlMs: 10_000, waitMs: 30_000, renewal: 'auto' })
  if (lease === undefined) return 'gave up'
  const { secret, version } = await ref.ask.current()
  if (version !== stale) return 'found it refreshed'
  await ref.ask.publish(await exchange(secret.refresh), { lease }) // Counts only while the lease is held.
  return `refreshed it in epoch ${lease.epoch}`
}

await using system = await openSystem({ directory: process.argv[2] ?? 'credential-data', actors: [credential] })
const mail = system.actor(credential, 'mail')
const { version } = await mail.ask.current()
for (const said of await Promise.all(['one', 'two', 'three'].map(async (owner) => await refresh(mail, owner, version)))) console.log(said)

// One that was paused for so long that somebody took the lease from it.
const paused = await mail.lease('refresh').acquire({ owner: 'four' })
await mail.lease('refresh').forceRelease()
try {
  await mail.ask.publish({ access: 'old', refresh: 'old' }, paused === undefined ? {} : { lease: paused })
} catch (error) {
  if (!(error instanceof BailiwickError) || error.code !== 'STALE_EPOCH') throw error
  console.log('Too late:', error.message)
}
console.log('Version', (await mail.ask.current()).version)
