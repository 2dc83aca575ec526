import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readMediaSource } from '../../../shared/media.ts'
import { fetchMedia, type FetchOptions } from '../../net/fetch-media.ts'
import { JobFailure } from '../../types.ts'
import { SNIFF_BYTES } from './sniff.ts'

/** Media on disk. Disposing removes it. */
export interface MediaFile extends AsyncDisposable {
  path: string
  /** Its first {@link SNIFF_BYTES} bytes. */
  head: Buffer
  /** The type that the data URI or the response gave. */
  declared: string | undefined
  /** Where it came from, when it was fetched. */
  url: string | undefined
}

/**
 * Brings a job's media to disk, wherever it comes from, so that a hundred lanes with large videos do not fill the
 * memory. Throws `JobFailure`; nothing stays on disk then. Readable by this user alone.
 */
export async function mediaFile(text: string, options: FetchOptions, signal: AbortSignal): Promise<MediaFile> {
  const source = readMediaSource(text)
  if (source === undefined) throw new JobFailure('INVALID_JOB', 'media is neither a URL nor base64')
  if (source.kind === 'base64') {
    const { path, head } = await write([Buffer.from(source.base64, 'base64')])
    return file(path, head, source.mimetype, undefined)
  }
  const { body, contentType } = await fetchMedia(source.url, options, signal)
  const { path, head } = await write(body)
  return file(path, head, contentType, source.url)
}

function file(path: string, head: Buffer, declared: string | undefined, url: string | undefined): MediaFile {
  return { path, head, declared, url, [Symbol.asyncDispose]: async () => rm(path, { force: true }) }
}

async function write(chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<{ path: string; head: Buffer }> {
  const path = join(tmpdir(), `kurir-media-${randomUUID()}`)
  const handle = await open(path, 'wx', 0o600)
  let head = Buffer.alloc(0)
  try {
    for await (const chunk of chunks) {
      if (head.length < SNIFF_BYTES) head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES - head.length)])
      await handle.writeFile(chunk)
    }
    if (head.length === 0) throw new JobFailure('MEDIA_UNREADABLE', 'the media is empty')
    return { path, head }
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}
