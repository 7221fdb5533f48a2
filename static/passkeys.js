// A form with data-passkey has the browser make a passkey ("create") or answer with one ("get"), puts the answer
// into its field `credential`, and is sent. What is asked for stands in the page, or is fetched. No text stands
// here: the page has what is said where it fails.

const optionsOf = async (form) => {
  const { passkeyOptions: place, passkeyOptionsUrl: url } = form.dataset;
  if (place) return JSON.parse(document.querySelector(place).textContent);
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()).request_options;
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("button");
  const none = form.querySelector("[data-passkey-none]");
  const failed = form.querySelector("[data-passkey-failed]");
  if (!window.webauthnJSON?.supported()) continue;
  button.hidden = false;
  if (none) none.hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    failed.hidden = true;
    try {
      const credential = await window.webauthnJSON[form.dataset.passkey](await optionsOf(form));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      failed.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
