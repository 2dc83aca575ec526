import { generateWAMessageContent } from '@whiskeysockets/baileys'
import type { Handler } from './handler.ts'
import { contentOptions } from '../whatsapp/content-options.ts'
import { sendFor } from '../whatsapp/send.ts'

/** SEND_LOCATION: a place on the map, with its name and address where they are given. */
export const sendLocation: Handler<'SEND_LOCATION'> = async (context, job, signal) => {
  const { to, latitude, longitude, name, address } = job.data
  const location = {
    degreesLatitude: latitude,
    degreesLongitude: longitude,
    ...(name !== undefined && { name }),
    ...(address !== undefined && { address }),
  }
  const build = async () => generateWAMessageContent({ location }, contentOptions(context, to))
  return sendFor(context, job, { to, build }, signal)
}
