'use strict';

const { createApp } = require('./lib/app');
const { Burner } = require('./lib/burner');
const { FileTokens } = require('./lib/file-tokens');
const { Flags } = require('./lib/flags');
const { readSettings } = require('./lib/settings');

async function main() {
  const settings = readSettings(process.env);
  const tokens = await openTokens(settings);
  const { release, track, instance } = settings;
  const context = { targetingKey: instance, release, track };
  const flags = new Flags({ ...settings.flags, context });
  // Asked before the first visitor comes, so that nobody sees a default where a value is known.
  await flags.isOn('feature1', true);
  const app = createApp({ settings, tokens, flags, burner: new Burner() });

  const server = app.listen(settings.port, settings.host, () => {
    const { address, port } = server.address();
    console.log(`tokens ${release} on ${track} listens on http://${address}:${port}`);
  });
  // Longer than any proxy keeps an idle connection, so that it is never closed under a request.
  server.keepAliveTimeout = 120000;
  server.on('error', (error) => {
    console.error(`cannot listen on ${settings.host}:${settings.port}: ${error.message}`);
    process.exit(1);
  });
  process.once('SIGTERM', () => drain(server, app, tokens, settings.graceMs));
  process.once('SIGINT', () => drain(server, app, tokens, settings.graceMs));
}

async function openTokens({ redisUrl, dataDir }) {
  let tokens = new FileTokens(dataDir);
  if (redisUrl) {
    const { RedisTokens } = require('./lib/redis-tokens');
    tokens = new RedisTokens(redisUrl);
  }
  await tokens.open();
  return tokens;
}

/** No new connections; what is under way is answered, for at most `graceMs`. */
function drain(server, app, tokens, graceMs) {
  console.log('draining');
  setTimeout(() => {
    console.error(`gave up on open requests after ${graceMs} ms`);
    process.exit(1);
  }, graceMs).unref();
  app.drain();
  server.close(async () => {
    await tokens.close();
    console.log('done');
    process.exit(0);
  });
  // A connection whose last answer left before we began to drain becomes idle only now.
  setInterval(() => server.closeIdleConnections(), 20);
}

main().catch((error) => {
  console.error(`tokens cannot start: ${error.message}`);
  process.exit(1);
});
