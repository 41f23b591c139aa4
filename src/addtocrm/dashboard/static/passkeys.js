// A form with data-passkey is sent with what the browser gives for it: a new passkey (create), or the use of one (get).

const trouble = (origin) => {
  if (location.origin !== origin) return `Passkeys work at ${origin}. Open AddToCRM there.`;
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return "This browser has no passkeys.";
  return "";
};

async function answer({ passkey, options }, csrf) {
  const asked = await fetch(options, { method: "POST", headers: { "x-csrf": csrf } });
  if (asked.redirected) location.assign(asked.url);
  if (asked.redirected || !asked.ok) throw new Error("not asked");
  const given = await asked.json();
  return passkey === "create"
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(given) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(given) });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const say = (text) => {
    const place = form.querySelector("[role=alert]");
    place.textContent = text;
    place.hidden = !text;
  };
  const { csrf, credential } = form.elements;
  form.hidden = false;
  const why = trouble(form.dataset.origin);
  if (why) {
    say(why);
    form.querySelector("button").disabled = true;
  }
  form.addEventListener("submit", async (event) => {
    if (credential.value) return;
    event.preventDefault();
    say("");
    try {
      credential.value = JSON.stringify(await answer(form.dataset, csrf.value));
      form.requestSubmit();
    } catch (error) {
      say(
        error.name === "InvalidStateError"
          ? "This device has a passkey of yours already."
          : "Your device gave no passkey. Try again.",
      );
    }
  });
}
