// An API as it is before anybody thinks of tokens. The guard in front of it lets
// in who may, and says in X-Auth-Client-Id who that is.
import { createServer } from 'node:http'

const at = new URL('http://127.0.0.1:3000')
const orders = [{ id: 1, item: 'tea', by: 'somebody' }]

async function body (request) {
  let text = ''
  for await (const part of request) {
    if ((text += part).length > 10_000) throw new Error('too large')
  }
  return JSON.parse(text)
}

createServer(async (request, response) => {
  const answer = (status, value) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value) + '\n')
  try {
    const { pathname } = new URL(request.url, at)
    if (request.method === 'GET' && pathname === '/orders') return answer(200, orders)
    if (request.method === 'POST' && pathname === '/orders') {
      const { item } = await body(request)
      orders.push({ id: orders.length + 1, item, by: request.headers['x-auth-client-id'] })
      return answer(201, orders.at(-1))
    }
    if (request.method === 'GET' && pathname === '/health') return answer(200, 'well')
    answer(404, 'nothing here')
  } catch {
    answer(400, 'not understood')
  }
}).listen(at.port, at.hostname)
