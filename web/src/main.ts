/** Loads the page. */

import "./i18n/tags.js"; // before what asks for the browser's languages
import "./pages/app.js";
