/**
 * Without a locale of its system Chromium says that its language is `en-US@posix`, and `Intl` throws at it. The
 * library that draws the plots asks it while it is loaded, and then no page is shown at all.
 */

const valid = navigator.languages.filter(isTag);
if (!isTag(navigator.language) || valid.length < navigator.languages.length) {
  const languages = valid.length > 0 ? valid : ["en"];
  Object.defineProperties(navigator, { languages: { value: languages }, language: { value: languages[0] } });
}

function isTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length > 0;
  } catch {
    return false;
  }
}
