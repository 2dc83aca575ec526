/** Where the servers of a test run are, all on loopback. */
export interface TestServers {
  redisUrl: string
  kind: 'given' | 'redis-server' | 'embedded'
  /** That Redis over REST. */
  restUrl: string
  restToken: string
  /** Takes connections and never answers. */
  hangingUrl: string
  /** Nobody listens here. */
  closedUrl: string
  /** Answers every request with what its query says: `status`, `type` (of the content) and `body`. */
  answeringUrl: string
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers
  }
}
