// Passkeys: asks the device and sends its answer with the form the button stands in. Without WebAuthn nothing is offered.
(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (list) => (list || []).map((each) => ({ ...each, id: toBytes(each.id) }));

  function asRequest(kind, options) {
    const publicKey = { ...options, challenge: toBytes(options.challenge) };
    if (kind === "get") return { publicKey: { ...publicKey, allowCredentials: withBytes(options.allowCredentials) } };
    const user = { ...options.user, id: toBytes(options.user.id) };
    return { publicKey: { ...publicKey, user, excludeCredentials: withBytes(options.excludeCredentials) } };
  }

  function asJson(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    const { id, type } = credential;
    return JSON.stringify({ id, rawId: toText(credential.rawId), type, response, clientExtensionResults: {} });
  }

  async function optionsOf(button, form) {
    if (button.dataset.passkey === "create") return JSON.parse(button.dataset.options);
    const body = new URLSearchParams({ csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(button.dataset.options, { method: "POST", body, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  }

  function inWords(error) {
    if (error.name === "InvalidStateError") return "This device holds a passkey of yours already.";
    if (error.name === "NotAllowedError") return "The device was not asked, or said no. You can try again.";
    if (error.name === "SecurityError") return "This address is not the one that passkeys of this site are for.";
    return `That did not work: ${error.message}`;
  }

  async function ask(button, form, said) {
    const kind = button.dataset.passkey;
    said.textContent = "Waiting for your device …";
    button.disabled = true;
    try {
      const credential = await navigator.credentials[kind](asRequest(kind, await optionsOf(button, form)));
      (form.querySelector("[data-credential]") || form.elements.credential).value = asJson(credential);
      form.submit();
    } catch (error) {
      said.textContent = inWords(error);
      button.disabled = false;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-passkey]")) {
      const form = button.closest("form");
      const said = form.querySelector("[data-passkey-said]");
      if (!window.PublicKeyCredential) {
        button.disabled = true;
        said.textContent = "This browser, or this address, knows no passkeys.";
        continue;
      }
      form.hidden = false;
      button.addEventListener("click", () => ask(button, form, said));
      form.addEventListener("submit", (event) => { event.preventDefault(); ask(button, form, said); });
    }
  });
})();
