import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { HapaxError } from '../errors/hapax-error.ts'
import type { Fingerprint } from '../event/event.ts'
import { HmacKey } from '../kit/hmac.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from '../store/store.ts'

const keyBytes = 32
const ivBytes = 12
const tagBytes = 16

/** The number of the key that fingerprints are made with; retired ones come before it in the list of readable keys. */
const currentKeyId = 1

/**
 * The tenants' keys for fingerprints: made at first use, kept in the store, wrapped by AES-256-GCM where a wrapping
 * secret is given. Keyed, because a plain hash kept beside a card number or an amount could be guessed (PCI DSS
 * 3.5.1.1).
 */
export class FingerprintKeys {
  readonly #store: Store
  readonly #random: Random
  readonly #wrapping: Buffer | undefined
  readonly #keys = new Map<string, HmacKey>()
  readonly #opening = new Map<string, Promise<HmacKey>>()

  /** @param wrappingSecret `HAPAX_KEY`: any text; the wrapping key is its SHA-256. */
  constructor(store: Store, random: Random, wrappingSecret?: string) {
    this.#store = store
    this.#random = random
    this.#wrapping = wrappingSecret === undefined ? undefined : createHash('sha256').update(wrappingSecret).digest()
  }

  /** The key of a tenant where it is at hand: the hot path awaits nothing. */
  known(tenant: string): HmacKey | undefined {
    return this.#keys.get(tenant)
  }

  /** Fetches or makes the key of a tenant. */
  open(tenant: string): Promise<HmacKey> {
    const opening = this.#opening.get(tenant) ?? this.#open(tenant).finally(() => this.#opening.delete(tenant))
    this.#opening.set(tenant, opening)
    return opening
  }

  /**
   * Opens these tenants' keys beforehand: inside a caller's transaction, which holds the store, none could be made. Where
   * the store cannot make one now, the first accept does.
   *
   * @throws `store_refused` for keys that were wrapped with another secret: no accept would ever work
   */
  async openFor(tenants: readonly string[]): Promise<void> {
    const opened = await Promise.allSettled([...new Set(tenants)].map((tenant) => this.open(tenant)))
    for (const one of opened) {
      const error: unknown = one.status === 'rejected' ? one.reason : undefined
      if (error instanceof HapaxError && error.code === 'store_refused') throw error
    }
  }

  /** The fingerprint of canonical content under the tenant's key: HMAC-SHA256. */
  make(key: HmacKey, content: string | Uint8Array): Fingerprint {
    return { keyId: currentKeyId, hash: key.digest('sha256', [content], 'base64url') }
  }

  async #open(tenant: string): Promise<HmacKey> {
    const name = `fingerprint/${tenant}/${currentKeyId}`
    const kept = await this.#store.secret(name, this.#wrap(this.#random.bytes(keyBytes), name))
    const key = new HmacKey(this.#unwrap(Buffer.from(kept), name))
    if (this.#keys.size >= limits.tenantKeysHeld) this.#keys.clear()
    this.#keys.set(tenant, key)
    return key
  }

  #wrap(key: Uint8Array, name: string): Uint8Array {
    if (!this.#wrapping) return key
    const iv = this.#random.bytes(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#wrapping, iv).setAAD(Buffer.from(name))
    return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()])
  }

  #unwrap(kept: Buffer, name: string): Buffer {
    const wrapped = kept.length === ivBytes + keyBytes + tagBytes
    if (!wrapped && kept.length === keyBytes) return kept
    if (!this.#wrapping) throw new HapaxError('store_refused', { reason: 'its keys are wrapped: set HAPAX_KEY' })
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#wrapping, kept.subarray(0, ivBytes)).setAAD(
        Buffer.from(name),
      )
      decipher.setAuthTag(kept.subarray(kept.length - tagBytes))
      return Buffer.concat([decipher.update(kept.subarray(ivBytes, kept.length - tagBytes)), decipher.final()])
    } catch (error) {
      throw new HapaxError(
        'store_refused',
        { reason: 'HAPAX_KEY is not the one that its keys were wrapped with' },
        { cause: error },
      )
    }
  }
}
