// Proposes people while one types a name or an address. Without it the address is typed out.
const WAIT_MS = 200;

function propose(field, list) {
  let waiting, asked = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    const typed = field.value.trim();
    if (!typed || [...list.options].some((option) => option.value === typed)) return;
    waiting = setTimeout(async () => {
      const turn = ++asked;
      const body = new FormData();  // a typed name stands in no address
      body.append("csrfmiddlewaretoken", field.form.querySelector("[name=csrfmiddlewaretoken]").value);
      body.append("q", typed);
      const answer = await fetch(field.dataset.people, { method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => null);
      if (!answer?.ok || turn !== asked) return;
      const found = await answer.json();
      list.replaceChildren(...found.people.map((person) => new Option(person.name, person.email)));
    }, WAIT_MS);
  });
}

for (const field of document.querySelectorAll("input[data-people]")) {
  const list = document.createElement("datalist");
  list.id = `${field.id}_people`;
  field.after(list);
  field.setAttribute("list", list.id);
  propose(field, list);
}
