// Passkeys: <form data-passkey="create" | "get"> asks the authenticator when it is sent and goes on with the answer in its field
// credential. What to ask: a JSON block, data-passkey-options="id", or data-passkey-from="url". Failures are said in [data-passkey-said].
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
const WORDS = {
  NotAllowedError: "No passkey was used: it was cancelled, or this device has none that fits.",
  InvalidStateError: "This device holds a passkey of yours already.",
  SecurityError: "This page is not open at the address that passkeys here are bound to.",
  TypeError: "The server did not say what to ask. Load the page again.",
};

const asked = async (form) => {
  const { passkeyFrom, passkeyOptions } = form.dataset;
  const block = document.getElementById(passkeyOptions);
  const told = block ? JSON.parse(block.textContent) : await (await fetch(passkeyFrom, { headers: { Accept: "application/json" } })).json();
  const options = told.request_options ?? told;
  return options.publicKey ?? options;
};

const ask = async (form) => {
  const options = await asked(form);
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (options.user) publicKey.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) publicKey.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) publicKey.allowCredentials = named(options.allowCredentials);
  return form.dataset.passkey === "create" ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey });
};

const told = (credential) => {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = text(credential.response[part]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  const { id, type } = credential;
  return { id, rawId: text(credential.rawId), type, response, clientExtensionResults: credential.getClientExtensionResults() };
};

const say = (form, words) => {
  const place = form.querySelector("[data-passkey-said]");
  if (place) { place.hidden = !words; place.textContent = words; }
};

if (window.PublicKeyCredential) for (const form of document.querySelectorAll("form[data-passkey]")) form.hidden = false;
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-passkey]") || form.dataset.passkeyDone) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // nothing is sent yet
  say(form, "");
  try {
    form.elements.credential.value = JSON.stringify(told(await ask(form)));
    form.dataset.passkeyDone = "yes";
    form.requestSubmit(event.submitter);
    delete form.dataset.passkeyDone; // a page that is shown again asks again
  } catch (error) {
    say(form, window.PublicKeyCredential ? WORDS[error.name] ?? `The passkey was not used: ${error.message}` : "This browser knows no passkeys.");
  }
}, true);
