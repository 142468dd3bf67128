// A real, certified authorization server for the tests: oidc-provider on a free loopback port.
//
// Prints one line of JSON, {"port": N}, when it answers. `POST /control/rotate` throws all signing keys away and makes
// new ones under new ids; the issuer stays. It stops when its standard input ends, so it cannot outlive the tests.
import { generateKeyPair, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

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
const SCOPES = 'tools:call tools:read';
// One client for each algorithm; the client's id is the algorithm's name in lower case.
const ALGORITHMS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

async function freshKeys() {
  const generate = promisify(generateKeyPair);
  return Promise.all(
    Object.entries(ALGORITHMS).map(async ([alg, [type, options]]) => {
      const { privateKey } = await generate(type, options);
      return { ...privateKey.export({ format: 'jwk' }), alg, kid: `${alg}-${randomUUID()}`, use: 'sig' };
    }),
  );
}

// A provider cannot exchange its keys, so a rotation is a new provider behind the same listener. Only the keys carry
// state that matters here: client credentials need no session, and a JWT needs no store.
async function freshProvider(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys: await freshKeys() },
    clients: Object.keys(ALGORITHMS).map((alg) => ({
      client_id: alg.toLowerCase(),
      client_secret: `${alg.toLowerCase()}-secret`,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    })),
    scopes: SCOPES.split(' '),
    clientAuthMethods: ['client_secret_post'],
    enabledJWA: { idTokenSigningAlgValues: Object.keys(ALGORITHMS) },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // Without a `resource` the access token stays opaque.
        defaultResource: () => undefined,
        getResourceServerInfo: (_ctx, resource, client) => ({
          audience: resource,
          scope: SCOPES,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: Object.keys(ALGORITHMS).find((alg) => alg.toLowerCase() === client.clientId) } },
        }),
      },
    },
    ttl: { ClientCredentials: 600 },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider.callback();
}

let answer;
const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/control/rotate') {
    answer(request, response);
    return;
  }
  try {
    answer = await freshProvider(issuer);
    response.writeHead(204).end();
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});
await new Promise((listening) => server.listen(0, HOST, listening));
const { port } = server.address();
const issuer = `http://${HOST}:${port}`;
answer = await freshProvider(issuer);
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ port }));
