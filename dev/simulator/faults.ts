import * as z from 'zod'

const common = {
  /** Only for this account; without it, for all. */
  phone: z.string().optional(),
  /** How often it strikes; without it, until the faults are cleared. */
  count: z.int().min(1).optional(),
}
const code = z.int().min(100).max(999)

/** A fault that waits for its occasion (`POST /faults`). */
export const faultSchema = z.discriminatedUnion('kind', [
  /** The server takes the message and never acks it. */
  z.object({ kind: z.literal('drop-ack'), ...common }),
  /** The ack comes `ms` late. */
  z.object({ kind: z.literal('delay-ack'), ms: z.int().min(0).max(600_000), ...common }),
  /** The ack carries an error and nobody gets the message. */
  z.object({ kind: z.literal('error-ack'), code, ...common }),
  /** A request of this namespace is answered with an error, and nothing is done. */
  z.object({ kind: z.literal('error-iq'), xmlns: z.string(), code, ...common }),
  /**
   * The socket is cut at a message: `before` it is recorded, or `after`, without an ack. With `to` (digits of a number)
   * only at messages to that contact, as WhatsApp closes the stream at a stanza that it does not take; with `code` by a
   * stream error of that code.
   */
  z.object({
    kind: z.literal('cut'),
    when: z.enum(['before', 'after']),
    to: z.string().optional(),
    code: code.optional(),
    ...common,
  }),
  /** A login is refused with a failure, or with a plain close for 408 and 428. */
  z.object({ kind: z.literal('refuse-login'), code, ...common }),
  /** A contact pretends that it cannot decrypt and asks for a retry. */
  z.object({ kind: z.literal('fail-decrypt'), ...common }),
  /** What a contact writes to this account, once or sent again, fits no session: nobody can decrypt it. */
  z.object({ kind: z.literal('garble'), ...common }),
])

export type Fault = z.infer<typeof faultSchema>
export type FaultKind = Fault['kind']
export type ArmedFault = Fault & { readonly id: number; struck: number }

export type Faults = {
  arm(fault: Fault): ArmedFault
  list(): readonly ArmedFault[]
  clear(): void
  /**
   * The oldest armed fault of a kind for an account, and for this contact (of `error-iq`: this namespace) if it names one;
   * counts as a strike.
   */
  take<K extends FaultKind>(kind: K, phone: string, to?: string): Extract<Fault, { kind: K }> | undefined
}

export function createFaults(): Faults {
  let armed: ArmedFault[] = []
  let lastId = 0
  return {
    arm(fault) {
      const added = { ...fault, id: ++lastId, struck: 0 }
      armed.push(added)
      return added
    },
    list: () => armed,
    clear: () => {
      armed = []
    },
    take<K extends FaultKind>(kind: K, phone: string, to?: string) {
      if (armed.length === 0) return undefined
      const meets = (fault: ArmedFault) =>
        fault.kind === kind &&
        (fault.phone === undefined || fault.phone === phone) &&
        (fault.kind !== 'cut' || fault.to === undefined || fault.to === to) &&
        (fault.kind !== 'error-iq' || fault.xmlns === to)
      const fault = armed.find(meets)
      if (!fault) return undefined
      fault.struck++
      if (fault.count !== undefined && fault.struck >= fault.count) armed = armed.filter(other => other !== fault)
      return fault as ArmedFault & Extract<Fault, { kind: K }>
    },
  }
}
