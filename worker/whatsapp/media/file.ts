import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { readMedia } from '../../../shared/media.ts'
import { fetchMedia, type FetchOptions } from '../../net/fetch-media.ts'
import { cleanName } from '../../net/file-name.ts'
import { JobFailure } from '../../jobs/job.ts'
import type { MediaFolder } from './folder.ts'
import { SNIFF_BYTES } from './sniff.ts'

/** Media on disk, alone in a folder. Disposing removes both. */
export interface MediaFile extends AsyncDisposable {
  path: string
  /** Its folder. */
  folder: string
  /** Its first {@link SNIFF_BYTES} bytes. */
  head: Buffer
  /** The type that the data URI or the response gave. */
  declared: string | undefined
  /** What it may be called, the best first: by the response or the data URI, by the URLs that led to it. */
  names: readonly string[]
}

/**
 * Brings a job's media to disk, wherever it comes from, so that a hundred lanes with large videos do not fill the
 * memory. Throws `JobFailure`; nothing stays on disk then. Readable by this user alone.
 */
export async function mediaFile(
  text: string,
  { folders, ...options }: FetchOptions & { folders: MediaFolder },
  signal: AbortSignal,
): Promise<MediaFile> {
  const source = readMedia(text)
  if (source.kind === 'wrong') throw new JobFailure('INVALID_JOB', `media ${source.wrong}`)
  if (source.kind === 'base64') {
    const written = await write(folders, [Buffer.from(source.base64, 'base64')])
    const name = cleanName(source.fileName)
    return { ...written, declared: source.mimetype, names: name === undefined ? [] : [name] }
  }
  const { body, contentType, names } = await fetchMedia(source.url, options, signal)
  const written = await write(folders, body)
  return { ...written, declared: contentType, names }
}

async function write(
  folders: MediaFolder,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<Pick<MediaFile, 'path' | 'folder' | 'head'> & AsyncDisposable> {
  const folder = await folders.make()
  const path = join(folder.path, 'file')
  try {
    await using handle = await open(path, 'wx', 0o600)
    let head = Buffer.alloc(0)
    for await (const chunk of chunks) {
      if (head.length < SNIFF_BYTES) head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES - head.length)])
      await handle.writeFile(chunk)
    }
    if (head.length === 0) throw new JobFailure('MEDIA_UNREADABLE', 'the media is empty')
    return { path, folder: folder.path, head, [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose]() }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}
