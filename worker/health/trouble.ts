import { Gauge, type Registry } from 'prom-client'

/** What can keep the worker from working, by name; empty when all is well. */
export interface Troubles {
  /** Connections to Redis that are broken, and `beat` when the last one was not answered. */
  redis: () => readonly string[]
  /** Loops that fail again and again. */
  loops: () => readonly string[]
}

/** Shows troubles in the metrics: one line each while it lasts. */
export function showTroubles(registry: Registry, { redis, loops }: Troubles): void {
  const gauge: Gauge<'kind' | 'name'> = new Gauge({
    name: 'kurir_trouble',
    help: 'What keeps the worker from working now: connections to redis, and loops that fail again and again',
    labelNames: ['kind', 'name'],
    registers: [registry],
    collect() {
      gauge.reset()
      for (const name of redis()) gauge.set({ kind: 'redis', name }, 1)
      for (const name of loops()) gauge.set({ kind: 'loop', name }, 1)
    },
  })
}
