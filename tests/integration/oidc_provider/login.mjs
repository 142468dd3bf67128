// The authorization server that real MCP clients meet: oidc-provider with open registration, pages for login and consent,
// and JWT access tokens for whatever resource is asked for.
//
// With SWAGGER_UI_REDIRECT_URI set it also knows Swagger UI at that address: a public client, `swagger-ui`, that may ask from its page.
//
// With CIMD set, clients do not register themselves: their id is the URL of a document about them, which is fetched from this machine.
// With OPAQUE set, its access tokens say nothing, and the client `guard` may ask about each (RFC 7662).
//
// Prints one line of JSON, {"port": N}, when it answers. It stops when its standard input ends, so it cannot outlive the tests.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

// Node 20 lacks it. It must be there before oidc-provider is loaded, hence the dynamic import.
URL.parse ??= (url, base) => {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
};
const { Provider } = await import('oidc-provider');

const HOST = '127.0.0.1';
const SCOPES = 'mcp:use files:read files:write files:delete';
const ALGORITHM = 'ES256';
const SWAGGER_UI = process.env.SWAGGER_UI_REDIRECT_URI;
const CIMD = Boolean(process.env.CIMD);
const OPAQUE = Boolean(process.env.OPAQUE);

function freshKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg: ALGORITHM, kid: randomUUID(), use: 'sig' };
}

function knownClients() {
  const swaggerUI = {
    client_id: 'swagger-ui',
    redirect_uris: [SWAGGER_UI],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
  };
  const guard = { client_id: 'guard', client_secret: 'guards-secret', grant_types: [], response_types: [], redirect_uris: [] };
  return [...(SWAGGER_UI ? [swaggerUI] : []), ...(OPAQUE ? [guard] : [])];
}

function startProvider(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys: [freshKey()] },
    clients: knownClients(),
    // The library fetches from no address of this machine, by a dispatcher that looks at the socket.
    ...(CIMD ? { fetch: (url, { dispatcher, ...options }) => fetch(url, options) } : {}),
    // A page of another origin redeems its code with a script.
    clientBasedCORS: (_ctx, origin, client) => client.clientId === 'swagger-ui' && origin === new URL(SWAGGER_UI).origin,
    clientDefaults: { id_token_signed_response_alg: ALGORITHM },
    enabledJWA: { idTokenSigningAlgValues: [ALGORITHM] },
    cookies: { keys: [randomUUID()] },
    scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
    pkce: { required: () => true },
    // The forms take any login; the subject is what was typed there.
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: !CIMD },
      clientIdMetadataDocument: { enabled: CIMD, ack: 'draft-02' },
      introspection: { enabled: OPAQUE, allowedPolicy: (_ctx, client) => client.clientId === 'guard' },
      resourceIndicators: {
        enabled: true,
        // Without a `resource` the access token stays opaque.
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope: SCOPES,
          accessTokenFormat: OPAQUE ? 'opaque' : 'jwt',
          jwt: { sign: { alg: ALGORITHM } },
        }),
      },
    },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, Interaction: 600, RefreshToken: 600, Session: 600 },
  });
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'registration_create.error']) {
    provider.on(event, (_ctx, error) => console.error(event, error));
  }
  return provider.callback();
}

// Clients register with the scope of the first challenge. Kept, it would be a ceiling, and no step-up could pass it.
async function withoutScope(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const { scope: _, ...metadata } = JSON.parse(text);
  request.body = metadata;
}

let answer;
const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST' && request.url === '/reg') await withoutScope(request);
  } catch {
    response.writeHead(400).end();
    return;
  }
  answer(request, response);
});
await new Promise((listening) => server.listen(0, HOST, listening));
const { port } = server.address();
answer = startProvider(`http://${HOST}:${port}`);
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ port }));
