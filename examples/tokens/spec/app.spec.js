'use strict';

const { createApp } = require('../lib/app');
const { Burner } = require('../lib/burner');
const { FileTokens } = require('../lib/file-tokens');
const { GREETING } = require('../lib/greeting');
const { folder, listen } = require('./helpers/stage');

describe('the app', () => {
  const settings = { release: '#7', track: 'canary', instance: 'web.3' };
  let on, tokens, app, stage;
  const ask = (path, options) => fetch(stage.url + path, options);
  const saidTokens = async () => (await (await ask('/get')).json()).tokens.map((it) => it.value);

  beforeEach(async () => {
    on = true;
    tokens = new FileTokens(await folder());
    await tokens.open();
    app = createApp({ settings, tokens, flags: { isOn: async () => on }, burner: new Burner() });
    stage = await listen(app);
  });
  afterEach(() => stage.close());

  it('greets, and says which release it is', async () => {
    const answer = await ask('/');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe(`${GREETING}\nrelease #7 on canary, web.3\n`);
    expect(answer.headers.get('x-release')).toBe('#7');
    expect(answer.headers.get('x-track')).toBe('canary');
  });

  it('has something to say', () => {
    expect(GREETING).toMatch(/^\S.{2,60}$/);
  });

  it('is healthy', async () => {
    expect((await ask('/healthz')).status).toBe(200);
  });

  it('keeps a token', async () => {
    const answer = await ask('/set?value=first');
    expect(answer.status).toBe(201);
    expect((await answer.json()).value).toBe('first');
    expect(await saidTokens()).toEqual(['first']);
  });

  it('takes a token as JSON or as a form', async () => {
    const headers = { 'Content-Type': 'application/json' };
    await ask('/set', { method: 'POST', headers, body: '{"value":"json"}' });
    await ask('/set', { method: 'POST', body: new URLSearchParams({ value: 'form' }) });
    expect(await saidTokens()).toEqual(['form', 'json']);
  });

  it('shows the last ten, the newest first', async () => {
    for (let i = 1; i <= 12; i += 1) {
      await ask(`/set?value=t${i}`);
    }
    expect(await saidTokens()).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((i) => `t${i}`));
  });

  it('refuses a token that is none', async () => {
    for (const query of ['', '?value=', '?value=a&value=b', `?value=${'x'.repeat(201)}`]) {
      expect((await ask(`/set${query}`)).status).withContext(query.slice(0, 20)).toBe(400);
    }
    const headers = { 'Content-Type': 'application/json' };
    expect((await ask('/set', { method: 'POST', headers, body: '{' })).status).toBe(400);
    expect(await saidTokens()).toEqual([]);
  });

  it('hides the tokens while the flag is off', async () => {
    on = false;
    expect((await ask('/set?value=x')).status).toBe(404);
    expect((await ask('/get')).status).toBe(404);
    expect((await ask('/')).status).toBe(200);
    on = true;
    expect(await saidTokens()).toEqual([]);
  });

  it('says so when the tokens cannot be kept', async () => {
    spyOn(console, 'error');
    spyOn(tokens, 'add').and.rejectWith(new Error('disk full'));
    const answer = await ask('/set?value=x');
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('disk full');
    expect(console.error).toHaveBeenCalledWith('GET /set: disk full');
  });

  it('burns CPU', async () => {
    const before = process.cpuUsage();
    expect(await (await ask('/burn?ms=30')).json()).toEqual({ burnt_ms: 30 });
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeGreaterThanOrEqual(30000);
  });

  it('streams until it drains', async () => {
    const stream = await ask('/stream');
    const reader = stream.body.getReader();
    const first = Buffer.from((await reader.read()).value).toString();
    expect(first).toContain('data: #7 on canary');
    app.drain();
    let rest = '';
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      rest += Buffer.from(piece.value).toString();
    }
    expect(rest).toContain('event: bye');
    expect((await ask('/healthz')).status).toBe(503);
    expect((await ask('/')).headers.get('connection')).toBe('close');
  });

  it('knows no other page', async () => {
    expect((await ask('/nothing')).status).toBe(404);
  });
});
