// The page's only script: the search. Without it everything is there all the same, and the browser's own search finds it.

/** Hides what does not hold every word that was typed. */
export const SCRIPT = `
const field = document.querySelector('input[type=search]');
const links = [...document.querySelectorAll('nav li')];
const groups = [...document.querySelectorAll('section.group')];
let texts;
field.hidden = false;
function search() {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  texts ??= links.map((link) => {
    const article = document.getElementById(link.firstChild.hash.slice(1));
    const parts = article.querySelectorAll('h3, p, .fields code');
    return { link, article, text: [...parts].map((part) => part.textContent).join(' ').toLowerCase() };
  });
  for (const { link, article, text } of texts) {
    link.hidden = article.hidden = !words.every((word) => text.includes(word));
  }
  for (const group of groups) group.hidden = !group.querySelector('article:not([hidden])');
  for (const menu of document.querySelectorAll('nav details')) {
    menu.hidden = !menu.querySelector('li:not([hidden])');
    menu.open = words.length > 0;
  }
}
field.addEventListener('input', search);
addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== field) { event.preventDefault(); field.focus(); }
  if (event.key === 'Escape' && document.activeElement === field) { field.value = ''; search(); field.blur(); }
});
`;
