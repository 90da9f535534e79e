'use strict';

const fs = require('fs/promises');
const http = require('http');
const os = require('os');
const path = require('path');

const folders = [];

afterAll(() => Promise.all(folders.map((dir) => fs.rm(dir, { recursive: true, force: true }))));

/** A folder of its own, removed at the end. */
async function folder() {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'tokens-'));
  folders.push(dir);
  return dir;
}

/** `handler` on a port of its own: `{ url, close }`. */
async function listen(handler) {
  const server = http.createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

/** An OFREP server of one flag: `value` is what it says, `down` how it fails. */
async function flagServer() {
  const asked = [];
  const it = { value: true, down: null, asked };
  const server = await listen((request, response) => {
    let body = '';
    request.on('data', (piece) => { body += piece; });
    request.on('end', () => {
      const { authorization } = request.headers;
      asked.push({ path: request.url, authorization, body: JSON.parse(body) });
      if (it.down === 'silent') {
        return;
      }
      const status = it.down || 200;
      const answer = status === 200 ?
        { key: 'feature1', value: it.value, variant: it.value ? 'on' : 'off', reason: 'STATIC' } :
        { key: 'feature1', errorCode: status === 404 ? 'FLAG_NOT_FOUND' : 'GENERAL', errorDetails: 'no' };
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(answer));
    });
  });
  return Object.assign(it, server);
}

module.exports = { flagServer, folder, listen };
