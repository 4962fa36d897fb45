/** Loads the page. */

import "./pages/app.js";
