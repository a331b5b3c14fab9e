/** How a module of ours is started in a process of its own: with what this program needed to load its modules. */

/** Options of Node.js that decide what an import finds. */
const LOADING =
  /^(?:--import|--require|-r|--loader|--experimental-loader|--conditions|-C|--experimental-[a-z-]+|--no-experimental-[a-z-]+)$/
const TAKES_VALUE = /^(?:--import|--require|-r|--loader|--experimental-loader|--conditions|-C)$/

/** Of the options that this program was started with, those that its modules may need. */
export function forkOptions(options: readonly string[]): string[] {
  const kept: string[] = []
  for (let index = 0; index < options.length; index += 1) {
    const option = options[index] ?? ''
    const [name = ''] = option.split('=')
    if (!LOADING.test(name)) continue
    kept.push(option)
    const value = options[index + 1]
    if (option === name && TAKES_VALUE.test(name) && value !== undefined) {
      kept.push(value)
      index += 1
    }
  }
  return kept
}

/** Its environment is that of this program: it is the same code, somewhere else. */
export function forkEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined && !name.startsWith('NODE_CHANNEL_')) kept[name] = value
  return kept
}
