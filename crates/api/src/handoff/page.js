// The hand-off window: reads a card for a page that cannot ask the agent itself, and hands the result to that page
// alone. It is a paired page like any other: its key was made here, cannot leave this browser, and was let in by a
// code that somebody at the desk typed. One key for each site, so that each has what it was let in for.

const main = document.querySelector("main");
const { site, siteName, scopes, state } = main.dataset;
const agent = location.origin;
const by = (id) => document.getElementById(id);

const coded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytesOf = (text) => new TextEncoder().encode(text);
const codedJson = (value) => coded(bytesOf(JSON.stringify(value)));

// Keys lie in this browser's own store; a private one cannot be taken out of it.
const store = async (mode, work) => {
  const database = await new Promise((done, failed) => {
    const opening = indexedDB.open("cccd-agent", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onsuccess = () => done(opening.result);
    opening.onerror = () => failed(opening.error);
  });
  try {
    return await new Promise((done, failed) => {
      const asked = work(database.transaction("keys", mode).objectStore("keys"));
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });
  } finally {
    database.close();
  }
};

let pair = null;

const proof = async (method, path) => {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const signed = codedJson({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }) + "." +
    codedJson({ jti: crypto.randomUUID(), htm: method, htu: agent + path, iat: Math.floor(Date.now() / 1000) });
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, bytesOf(signed));
  return signed + "." + coded(signature);
};

const ask = async (method, path, body, more = {}) => {
  const headers = { DPoP: await proof(method, path), ...more };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
};

const show = (step) => {
  for (const section of main.querySelectorAll("section[data-step]")) section.hidden = section.dataset.step !== step;
  main.querySelector(`section[data-step="${step}"] .first`)?.focus();
};

const tell = (id, vi, en) => { by(id).textContent = vi === "" ? "" : `${vi} · ${en}`; };
const tellProblem = (id, problem) => tell(id, problem.title_vi + ". " + problem.remedy_vi, problem.title);

const isPaired = async () => pair !== null && (await ask("GET", "/v1/grants/self")).status === 200;

const beginPairing = async () => {
  pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const public_key = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const label = siteName.slice(0, 64);
  return await ask("POST", "/v1/pairings", { public_key, label, scopes: scopes.split(" ") });
};

let confirming = "";
by("pair").addEventListener("click", async () => {
  tell("pair-told", "", "");
  const begun = await beginPairing();
  if (begun.status !== 201) return tellProblem("pair-told", begun.body);
  confirming = `/v1/pairings/${begun.body.pairing_id}/confirm`;
  by("code-form").hidden = false;
  by("code").focus();
});

by("code-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await ask("POST", confirming, { code: by("code").value });
  by("code").value = "";
  if (answer.status !== 201) return tellProblem("pair-told", answer.body);
  await store("readwrite", (keys) => keys.put(pair, site));
  show("read");
});

// What opens the chip, told apart by how it looks.
const accessOf = (text) => {
  const digits = text.replaceAll(/\s/g, "");
  if (/^\d{6}$/.test(digits)) return { can: digits };
  if (/^\d{12}$/.test(digits)) return { id: digits };
  return text.includes("|") ? { qr: text.trim() } : { mrz: text.trim() };
};

const hand = (message) => window.opener.postMessage({ source: "cccd-agent", state, ...message }, site);

by("read-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  // A window that is driven by another page's script has had no click.
  if (!event.isTrusted || !navigator.userActivation.isActive) return;
  const access = accessOf(by("access").value);
  by("access").value = "";
  by("read").disabled = true;
  tell("read-told", "Đặt thẻ lên đầu đọc và giữ yên", "Lay the card on the reader and leave it there");
  try {
    const answer = await ask("POST", "/v1/reads", { access }, { Prefer: "wait=60" });
    if (answer.status !== 200) {
      if (answer.body.code === "pairing-required") return await start();
      return tellProblem("read-told", answer.body.code ? answer.body : {
        title_vi: "Chưa có thẻ", title: "No card yet", remedy_vi: "Đặt thẻ lên đầu đọc rồi bấm lại.",
      });
    }
    hand({ type: "result", result: answer.body });
    await ask("DELETE", `/v1/reads/${answer.body.read_id}`);
    show("done");
  } finally {
    by("read").disabled = false;
  }
});

for (const button of main.querySelectorAll("button.close")) {
  button.addEventListener("click", () => {
    if (button.dataset.cancels !== undefined && window.opener) hand({ type: "cancelled" });
    window.close();
  });
}

const start = async () => {
  if (!window.opener) return show("alone");
  pair = (await store("readonly", (keys) => keys.get(site))) ?? null;
  show((await isPaired()) ? "read" : "pair");
};

start();
