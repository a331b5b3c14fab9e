import { readFileSync } from 'node:fs'
import { checkLinearizable, describeLinearizability, keyValueAppend, readKeyValueLog } from '@bailiwick/testkit'

const history = readKeyValueLog(readFileSync(process.argv[2] ?? 'history.log', 'utf8'))
const result = checkLinearizable(history, keyValueAppend())
console.log(describeLinearizability(result))
process.exitCode = result.verdict === 'yes' ? 0 : 1
