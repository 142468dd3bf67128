// A site with better-auth and its OAuth provider: EdDSA access tokens (at+jwt) for the resources that RESOURCES names.
//
// Prints one line of JSON, {"port": N, "subject": "..."}, when it answers. It stops when its standard input ends.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { oauthProvider, oauthProviderAuthServerMetadata, oauthProviderOpenIdConfigMetadata } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { jwt } from 'better-auth/plugins';

const HOST = '127.0.0.1';
const RESOURCES = process.env.RESOURCES.split(' ');

const server = createServer();
server.listen(0, HOST);
await once(server, 'listening');
const { port } = server.address();
const origin = `http://${HOST}:${port}`;

const tables = 'user session account verification jwks oauthClient oauthRefreshToken oauthAccessToken oauthConsent oauthResource';
const memory = Object.fromEntries(`${tables} oauthClientResource oauthClientAssertion`.split(' ').map((name) => [name, []]));
const auth = betterAuth({
  baseURL: origin,
  secret: randomUUID() + randomUUID(),
  database: memoryAdapter(memory),
  emailAndPassword: { enabled: true },
  plugins: [
    jwt(),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      scopes: ['openid', 'offline_access', 'mcp:use', 'files:read', 'files:write'],
      resources: RESOURCES,
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      // Without it a client that registered itself may ask for no resource at all.
      clientRegistrationDefaultResources: RESOURCES,
    }),
  ],
});

const page = (fields, query) =>
  new Response(
    `<form method="post">${fields}<input type="hidden" name="query" value="${query.replaceAll('&', '&amp;')}"><button>Go on</button></form>`,
    { headers: { 'Content-Type': 'text/html' } },
  );

// What a script in the page would do: better-auth answers with the address to go to.
async function goOn(request, path, body) {
  const headers = { 'Content-Type': 'application/json', Origin: origin, Cookie: request.headers.get('Cookie') ?? '' };
  const answer = await auth.handler(new Request(`${origin}/api/auth${path}`, { method: 'POST', headers, body: JSON.stringify(body) }));
  const { url, ...rest } = await answer.json();
  if (!url) return Response.json(rest, { status: 500 });
  const back = new Headers({ Location: url });
  for (const cookie of answer.headers.getSetCookie()) back.append('Set-Cookie', cookie);
  return new Response(null, { status: 303, headers: back });
}

async function answer(request) {
  const { pathname, search } = new URL(request.url);
  if (pathname === '/.well-known/oauth-authorization-server/api/auth') return oauthProviderAuthServerMetadata(auth)(request);
  if (pathname === '/.well-known/openid-configuration/api/auth') return oauthProviderOpenIdConfigMetadata(auth)(request);
  if (pathname.startsWith('/api/auth/')) return auth.handler(request);
  const form = request.method === 'POST' ? await request.formData() : undefined;
  const login = '<input name="name"><input name="password" type="password">';
  switch (`${request.method} ${pathname}`) {
    case 'GET /login':
      return page(login, search.slice(1));
    case 'POST /login': {
      const email = `${form.get('name')}@example.com`;
      return goOn(request, '/sign-in/email', { email, password: form.get('password'), oauth_query: form.get('query') });
    }
    case 'GET /consent':
      return page('', search.slice(1));
    case 'POST /consent':
      return goOn(request, '/oauth2/consent', { accept: true, oauth_query: form.get('query') });
    default:
      return new Response(null, { status: 404 });
  }
}

server.on('request', async (incoming, outgoing) => {
  const body = [];
  for await (const chunk of incoming) body.push(chunk);
  const withBody = ['GET', 'HEAD'].includes(incoming.method) ? {} : { body: Buffer.concat(body) };
  const request = new Request(origin + incoming.url, { method: incoming.method, headers: incoming.headers, ...withBody });
  try {
    const response = await answer(request);
    const cookies = response.headers.getSetCookie();
    const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'set-cookie'));
    outgoing.writeHead(response.status, cookies.length ? { ...headers, 'set-cookie': cookies } : headers);
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  } catch (error) {
    console.error(error);
    outgoing.writeHead(500).end();
  }
});

const { user } = await auth.api.signUpEmail({ body: { name: 'alice', email: 'alice@example.com', password: 'alice-alice' } });
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ port, subject: user.id }));
