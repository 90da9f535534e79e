'use strict';

const path = require('path');

/** `Name=value,Other=value`, values URL-encoded: the form OFREP_HEADERS has. */
function parseHeaders(text) {
  return (text || '').split(',').map((pair) => pair.trim()).filter(Boolean).map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new Error(`OFREP_HEADERS: "${pair}" is not Name=value`);
    }
    return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
  });
}

function positive(text, otherwise) {
  const number = Number(text);
  return Number.isFinite(number) && number > 0 ? number : otherwise;
}

/** Everything the environment says, looked at once. */
function readSettings(env) {
  return {
    port: Number(env.PORT || 3000),
    host: env.HOST || '127.0.0.1',
    graceMs: positive(env.GRACE_MS, 8000),
    release: env.RELEASE || 'dev',
    track: env.TRACK || 'stable',
    instance: env.INSTANCE || `pid ${process.pid}`,
    redisUrl: env.REDIS_URL || '',
    dataDir: env.TOEHOLD_DATA || path.join(__dirname, '..', 'data'),
    flags: {
      endpoint: (env.OFREP_ENDPOINT || '').replace(/\/+$/, ''),
      headers: parseHeaders(env.OFREP_HEADERS),
      timeoutMs: positive(env.OFREP_TIMEOUT_MS, 1000),
    },
  };
}

module.exports = { parseHeaders, readSettings };
