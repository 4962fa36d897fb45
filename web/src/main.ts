/** Loads the page. */

import "./pages/recordings-page.js";
