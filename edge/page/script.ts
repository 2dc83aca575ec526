/**
 * The page's whole script: it keeps the live part fresh while somebody looks at it. What it gets is HTML of ours, in
 * which everything from elsewhere is escaped; an answer that redirects means that the sign-in has ended.
 */
export const SCRIPT = `
const live = document.getElementById('live')
let shown = live?.innerHTML

async function refresh() {
  try {
    const response = await fetch(live.dataset.src, { redirect: 'manual' })
    if (response.type === 'opaqueredirect') return location.reload()
    const html = await response.text()
    live.toggleAttribute('data-stale', !response.ok)
    if (response.ok && html !== shown) live.innerHTML = shown = html
  } catch {
    live.toggleAttribute('data-stale', true)
  }
  setTimeout(next, 1500)
}

function next() {
  if (!document.hidden) return refresh()
  document.addEventListener('visibilitychange', next, { once: true })
}

if (live) setTimeout(next, 1000)
`
