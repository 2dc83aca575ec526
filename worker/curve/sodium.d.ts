/** The part of sodium-native 5 that we use; the package ships no types. Outputs are written into the first argument. */
declare module 'sodium-native' {
  interface Sodium {
    crypto_hash_sha256(hash: Buffer, data: Buffer): void
    crypto_scalarmult(shared: Buffer, secretKey: Buffer, publicKey: Buffer): void
    crypto_scalarmult_base(publicKey: Buffer, secretKey: Buffer): void
    crypto_scalarmult_ed25519_base_noclamp(point: Buffer, scalar: Buffer): void
    crypto_core_ed25519_scalar_reduce(reduced: Buffer, wide: Buffer): void
    crypto_core_ed25519_scalar_add(sum: Buffer, a: Buffer, b: Buffer): void
    crypto_core_ed25519_scalar_sub(difference: Buffer, a: Buffer, b: Buffer): void
    crypto_core_ed25519_scalar_random(scalar: Buffer): void
    crypto_sign_verify_detached(signature: Buffer, message: Buffer, publicKey: Buffer): boolean
  }
  const sodium: Sodium
  export default sodium
}
