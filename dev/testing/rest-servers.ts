import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import process from 'node:process'
import { startRedis } from '../redis/start.ts'
import { startRestGateway } from '../rest/gateway.ts'
import type { TestServers } from './rest-provided.ts'

/**
 * A process of its own, because vitest's module runner for workerd resolves packages as workerd does, and ioredis is not
 * made for that. It ends with the channel to its parent, however that one ends.
 */
async function main(): Promise<void> {
  const redis = await startRedis()
  const restToken = randomBytes(24).toString('base64url')
  const gateway = await startRestGateway({ redisUrl: redis.url, token: restToken })
  const hanging = createServer()
  const closed = createServer()
  const answering = createHttpServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://answering')
    response.writeHead(Number(searchParams.get('status')), { 'content-type': searchParams.get('type') ?? '' })
    response.end(searchParams.get('body'))
  })
  const servers: TestServers = {
    redisUrl: redis.url,
    kind: redis.kind,
    restUrl: gateway.url,
    restToken,
    hangingUrl: await listen(hanging),
    closedUrl: await listen(closed),
    answeringUrl: await listen(answering),
  }
  closed.close()
  process.on('disconnect', () => {
    void gateway
      .close()
      .then(() => redis.close())
      .finally(() => process.exit())
  })
  process.send?.(servers)
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

await main()
