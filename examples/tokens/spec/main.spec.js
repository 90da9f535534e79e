'use strict';

const http = require('http');
const path = require('path');
const { spawn } = require('child_process');
const { folder } = require('./helpers/stage');

describe('the process', () => {
  let child, output;

  /** Starts it and waits for its first line: the URL it listens on. */
  async function start(env) {
    const { PATH } = process.env;
    child = spawn(process.execPath, [path.join(__dirname, '..', 'main.js')], {
      env: { PATH, PORT: '0', TOEHOLD_DATA: await folder(), ...env },
    });
    output = '';
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    const url = await new Promise((resolve) => {
      const see = (text) => {
        output += text;
        const listens = output.match(/listens on (\S+)/);
        return listens && resolve(listens[1]);
      };
      child.stdout.on('data', see);
      child.stderr.on('data', see);
      ended.then(() => resolve(null));
    });
    return { url, ended };
  }
  afterEach(() => child.kill('SIGKILL'));

  it('says its release and where it listens', async () => {
    const { url } = await start({ RELEASE: '#4', TRACK: 'canary', INSTANCE: 'web.9' });
    expect(await (await fetch(url)).text()).toContain('release #4 on canary, web.9');
  });

  /** A request the process has begun to read and whose body is still to come. */
  function begin(url) {
    const headers = { 'Content-Type': 'application/json', Expect: '100-continue' };
    const request = http.request(`${url}/set`, { method: 'POST', headers });
    const answer = new Promise((resolve, reject) => {
      request.on('response', (response) => resolve(response.resume().statusCode));
      request.on('error', reject);
    });
    answer.catch(() => {});
    request.flushHeaders();
    return new Promise((resolve) => request.on('continue', () => resolve({ request, answer })));
  }

  async function saysThat(text) {
    while (!output.includes(text)) {
      await new Promise((resolve) => child.stdout.once('data', resolve));
    }
  }

  it('answers what is under way before it ends', async () => {
    const { url, ended } = await start();
    const slow = await begin(url);
    const stream = await fetch(`${url}/stream`);
    child.kill('SIGTERM');
    await saysThat('draining');
    await expectAsync(fetch(url)).toBeRejected();
    slow.request.end('{"value":"late"}');
    expect(await slow.answer).toBe(201);
    expect(await stream.text()).toContain('bye');
    expect(await ended).toBe(0);
  });

  it('does not wait for ever', async () => {
    const { url, ended } = await start({ GRACE_MS: '50' });
    const slow = await begin(url);
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
    expect(output).toContain('gave up');
    await expectAsync(slow.answer).toBeRejected();
  });

  it('says why it cannot start', async () => {
    const { url, ended } = await start({ OFREP_HEADERS: 'nonsense' });
    expect(url).toBe(null);
    expect(await ended).toBe(1);
    expect(output).toContain('OFREP_HEADERS: "nonsense" is not Name=value');
  });
});
