import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { setPriority } from 'node:os'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { DecodeError, limited, type Limits } from './limited.ts'
import { SAMPLE_RATE, type Conversion, type ConvertQuestion } from './protocol.ts'

/** Most bytes that a conversion may write. */
const MAX_OUTPUT_BYTES = 100 * 1024 * 1024
/** Most pixels of a picture that is decoded; its frames take some 4 bytes for each. */
const MAX_PIXELS = 4096 * 2304
/** Longest side of a video that is made. */
const VIDEO_SIDE = 1280
const THREADS = 2

/** ffmpeg's reader for each media type. It is never left to guess: a playlist may name other files, and URLs. */
const DEMUXERS: Readonly<Record<string, string>> = {
  'video/mp4': 'mov',
  'video/quicktime': 'mov',
  'video/3gpp': 'mov',
  'audio/mp4': 'mov',
  'video/webm': 'matroska',
  'video/x-matroska': 'matroska',
  'video/x-msvideo': 'avi',
  'video/ogg': 'ogg',
  'audio/ogg': 'ogg',
  'audio/ogg; codecs=opus': 'ogg',
  'audio/ogg; codecs=vorbis': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/aac': 'aac',
  'audio/amr': 'amr',
  'audio/wav': 'wav',
  'audio/flac': 'flac',
  'image/gif': 'gif',
  'image/bmp': 'bmp_pipe',
}

const FIT = `scale='min(${VIDEO_SIDE},iw)':'min(${VIDEO_SIDE},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2`
// What every phone decodes, and with little memory: no frames far ahead are looked at.
const H264 = ['-c:v', 'libx264', '-profile:v', 'main', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p']
const PICTURES = ['-map', '0:v:0', '-vf', FIT, ...H264, '-x264-params', 'rc-lookahead=10', '-fpsmax', '30']
const MP4 = ['-movflags', '+faststart', '-f', 'mp4']

const OUTPUTS: Readonly<Record<Conversion, readonly string[]>> = {
  voice: ['-map', '0:a:0', '-ac', '1', '-ar', '48000', '-c:a', 'libopus', '-b:a', '32k', '-f', 'ogg'],
  audio: ['-map', '0:a:0', '-ac', '2', '-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart', '-f', 'ipod'],
  video: [...PICTURES, '-map', '0:a:0?', '-ac', '2', '-c:a', 'aac', '-b:a', '128k', ...MP4],
  loop: [...PICTURES, '-an', ...MP4],
  jpeg: ['-map', '0:v:0', '-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '2', '-pix_fmt', 'yuvj420p', '-f', 'mjpeg'],
  samples: ['-map', '0:a:0', '-ac', '1', '-ar', String(SAMPLE_RATE), '-c:a', 'pcm_s16le', '-f', 's16le'],
}

/** Where ffmpeg is, undefined when it is in no folder of a PATH. */
export function findFfmpeg(path: string | undefined): string | undefined {
  const folders = path?.split(delimiter).filter(isAbsolute) ?? []
  return folders.map(folder => join(folder, 'ffmpeg')).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Has ffmpeg make a file, in a process of its own: without our environment, with low priority, killed when it takes more
 * than it may. It reads nothing but the file, and the kernel bounds its CPU time and what it writes. Rejects with
 * {@link DecodeError}, or with the signal's reason.
 */
export async function convert(
  ffmpeg: string,
  { conversion, from, path, to }: ConvertQuestion,
  limits: Limits,
  signal: AbortSignal,
): Promise<{ made: true }> {
  const demuxer = Object.hasOwn(DEMUXERS, from) ? DEMUXERS[from] : undefined
  if (demuxer === undefined) throw new DecodeError('unreadable')
  signal.throwIfAborted()
  const general = ['-nostdin', '-hide_banner', '-loglevel', 'quiet', '-y', '-threads', String(THREADS)]
  const input = ['-protocol_whitelist', 'file', '-max_pixels', String(MAX_PIXELS), '-f', demuxer, '-i', `file:${path}`]
  const output = [
    '-map_metadata',
    '-1',
    '-sn',
    '-dn',
    '-threads',
    String(THREADS),
    ...OUTPUTS[conversion],
    `file:${to}`,
  ]
  const cpuSeconds = Math.ceil((limits.deadlineMs / 1000) * THREADS)
  // Should memory get short, the kernel ends this process before the one that holds the sessions.
  const script = `ulimit -t ${cpuSeconds}; ulimit -f ${MAX_OUTPUT_BYTES / 512}; ulimit -c 0; echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$0" "$@"`
  const child = spawn('/bin/sh', ['-c', script, ffmpeg, ...general, ...input, ...output], {
    env: {},
    cwd: dirname(to),
    stdio: 'ignore',
  })
  const { promise, resolve, reject } = Promise.withResolvers<{ made: true }>()
  child.on('error', () => reject(new DecodeError('unreadable')))
  child.on('exit', code => (code === 0 ? resolve({ made: true }) : reject(new DecodeError('unreadable'))))
  lowerPriority(child.pid)
  return limited(child, limits, signal, promise, () => child.kill('SIGKILL'))
}

function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, 10)
  } catch {
    // It has ended already.
  }
}
