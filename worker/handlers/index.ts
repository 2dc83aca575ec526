import type { Handlers } from './handler.ts'
import { groupCreate } from './group-create.ts'
import { groupUpdateParticipants } from './group-update-participants.ts'
import { sendContact } from './send-contact.ts'
import { sendLocation } from './send-location.ts'
import { createSendMedia, type MediaOptions } from './send-media.ts'
import { sendPoll } from './send-poll.ts'
import { sendReaction } from './send-reaction.ts'
import { sendReply } from './send-reply.ts'
import { sendText } from './send-text.ts'

/** All handlers of jobs that need an open session. */
export function createHandlers(media: MediaOptions) {
  return {
    SEND_TEXT: sendText,
    SEND_MEDIA: createSendMedia(media),
    SEND_POLL: sendPoll,
    SEND_REACTION: sendReaction,
    SEND_REPLY: sendReply,
    SEND_LOCATION: sendLocation,
    SEND_CONTACT: sendContact,
    GROUP_CREATE: groupCreate,
    GROUP_UPDATE_PARTICIPANTS: groupUpdateParticipants,
  } satisfies Handlers
}
