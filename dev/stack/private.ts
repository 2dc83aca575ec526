import { rename, writeFile } from 'node:fs/promises'

/** Writes a file that only its owner can read, in one step: a reader sees the old one or the new one. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`
  await writeFile(draft, text, { mode: 0o600 })
  await rename(draft, file)
}
