/** A refusal of the control side: `code` is stable, `status` is HTTP's. */
export class ControlError extends Error {
  readonly code: string
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ControlError'
    this.code = code
    this.status = status
  }
}
