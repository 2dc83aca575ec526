import type { JobName } from '../../shared/contract.ts'

/** Jobs that act on the session itself. They must reach a session that cannot send. */
export const CONTROL_JOBS: readonly JobName[] = ['START_SESSION', 'STOP_SESSION', 'DELETE_SESSION']

/** See {@link CONTROL_JOBS}. */
export function isControl(name: string): boolean {
  return (CONTROL_JOBS as readonly string[]).includes(name)
}
