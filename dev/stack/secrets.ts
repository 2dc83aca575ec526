import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writePrivate } from './private.ts'

const secretsSchema = z.object({
  /** What clients of the edge send as bearer token. */
  apiKey: z.string().min(1),
  /** What the edge sends to the REST gateway. */
  restToken: z.string().min(1),
  /** `whsec_...`, or several, comma-separated. */
  webhookSecret: z.string().min(1),
  /** 32 bytes in base64. */
  credentialsKey: z.string().min(1),
})

/** The secrets of a local stack. */
export type Secrets = z.infer<typeof secretsSchema>

/**
 * The secrets of a checkout: random, made once and kept in its folder (readable by its owner alone), because a stack
 * that is started again must be able to read the credentials that the last one wrote. Given ones win and are not kept.
 */
export async function loadSecrets(dir: string, given: Partial<Secrets> = {}): Promise<Secrets> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'secrets.json')
  const kept = await readSecrets(file)
  if (kept !== undefined) return { ...kept, ...given }
  const made: Secrets = {
    apiKey: `kurir_${randomBytes(24).toString('base64url')}`,
    restToken: randomBytes(24).toString('base64url'),
    webhookSecret: `whsec_${randomBytes(32).toString('base64')}`,
    credentialsKey: randomBytes(32).toString('base64'),
  }
  await writePrivate(file, `${JSON.stringify(made, null, 2)}\n`)
  return { ...made, ...given }
}

async function readSecrets(file: string): Promise<Secrets | undefined> {
  try {
    return secretsSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${file} is unreadable; delete it to start with new secrets`, { cause: error })
  }
}
