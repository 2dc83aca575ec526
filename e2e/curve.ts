/**
 * The worker's NATIVE_CURVE as this run was given it: `NATIVE_CURVE=off npm test -- --project e2e` proves that everything
 * also holds without the native curve.
 */
export function curveSetting(): Record<string, string> {
  const { NATIVE_CURVE } = process.env
  return NATIVE_CURVE === undefined ? {} : { NATIVE_CURVE }
}
