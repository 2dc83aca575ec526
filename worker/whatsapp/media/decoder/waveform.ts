import { open } from 'node:fs/promises'

/** How many bars WhatsApp draws for a voice note, and how high the highest is. */
const BARS = 64
const HIGHEST = 100
const SAMPLE_BYTES = 2

/** The mean loudness of each 64th of a file of raw 16-bit samples, the loudest being 100. */
export async function waveformOf(path: string): Promise<number[]> {
  await using file = await open(path)
  const { size } = await file.stat()
  const samples = Math.floor(size / SAMPLE_BYTES)
  const sums = new Float64Array(BARS)
  const counts = new Float64Array(BARS)
  const chunk = Buffer.alloc(65_536)
  for (let sample = 0; sample < samples;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, sample * SAMPLE_BYTES)
    const read = Math.floor(bytesRead / SAMPLE_BYTES)
    if (read === 0) break
    for (let i = 0; i < read; i++, sample++) {
      const bar = Math.floor((sample / samples) * BARS)
      sums[bar] = (sums[bar] ?? 0) + Math.abs(chunk.readInt16LE(i * SAMPLE_BYTES))
      counts[bar] = (counts[bar] ?? 0) + 1
    }
  }
  const means = Array.from(sums, (sum, bar) => sum / Math.max(1, counts[bar] ?? 0))
  const loudest = Math.max(...means)
  return means.map(mean => (loudest === 0 ? 0 : Math.round((mean / loudest) * HIGHEST)))
}
