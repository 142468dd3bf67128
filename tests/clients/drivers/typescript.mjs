// The official TypeScript SDKs: `typescript.mjs MCP_URL sdk` (1.x), or `client` (2.x) with `legacy` or `auto` after it.
// `CLIENT_DOCUMENT` is the URL of a document about it, for issuers that take one.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const LIBRARIES = {
  sdk: async () => ({
    ...(await import('@modelcontextprotocol/sdk/client/index.js')),
    ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
  }),
  client: () => import('@modelcontextprotocol/client'),
};

const [mcpUrl, library, mode] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await LIBRARIES[library]();

// Everything is kept for as long as the program runs.
class Memory {
  clientMetadataUrl = process.env.CLIENT_DOCUMENT;
  redirectUrl = 'http://127.0.0.1:1/callback'; // nobody listens there: the address is read, not asked for
  clientMetadata = {
    client_name: `TypeScript ${library}`,
    redirect_uris: [this.redirectUrl],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  };

  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.kept;
  saveTokens = (tokens) => void (this.kept = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);

  async redirectToAuthorization(url) {
    const { stdout } = await promisify(execFile)(process.env.PYTHON, [process.env.HEADLESS, '--print', url.href]);
    this.answer = new URL(stdout.trim()).searchParams;
  }
}

const provider = new Memory();
const client = new Client({ name: 'driver', version: '1' }, mode ? { versionNegotiation: { mode } } : {});
let transport;

async function connect() {
  transport = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  await client.connect(transport);
}

// What both SDKs ask of an application: take the code to the transport, and do it again.
async function authorized(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(library === 'sdk' ? provider.answer.get('code') : provider.answer);
    return attempt();
  }
}

async function call(name, args = {}) {
  const { content } = await authorized(() => client.callTool({ name, arguments: args }));
  return content[0].text;
}

await authorized(connect);
const listed = (await client.listTools()).tools.map((tool) => tool.name);
const result = {
  // A tool that is called before all others.
  public: process.env.PUBLIC_TOOL && (await call(process.env.PUBLIC_TOOL)),
  protocol: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion,
  tools: listed,
  whoami: await call('whoami'),
  read_file: await call('read_file', { path: 'a.txt' }),
  write_file: await call('write_file', { path: 'b.txt', text: 'four' }),
};
await client.close();
console.log(JSON.stringify(result));
