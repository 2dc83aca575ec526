import { equalInConstantTime, sha256 } from './digest.ts'

/** The deployment's API keys. */
export interface ApiKeys {
  /** The digest of the key when it is one of ours. Every key is compared, hit or not, by digests of equal length. */
  check(candidate: string): Promise<string | undefined>
  /** The keys' digests, as secrets to derive from. */
  digests: readonly string[]
}

/** Takes the keys in. */
export async function importKeys(keys: readonly string[]): Promise<ApiKeys> {
  const digests = await Promise.all(keys.map(key => sha256(key)))
  return {
    digests,
    async check(candidate) {
      const digest = await sha256(candidate)
      let found = false
      for (const known of digests) found = equalInConstantTime(known, digest) || found
      return found ? digest : undefined
    },
  }
}
