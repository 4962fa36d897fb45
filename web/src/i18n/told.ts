/**
 * What the server says in English, for those who read another language: its problems by their code, and why a
 * recording waits by its obstacle's code. What is not of a closed list stays as the server said it.
 */

import type { Waiting } from "../api/client.js";
import type { Problem } from "../api/problem.js";
import { Words } from "../../player/src/words.js";
import { type Language, language, locale } from "./words.js";

type Problems = Readonly<Record<string, string>>;

/** Their sentences name what is wrong: that is told beside the translation. */
const PARTICULAR: ReadonlySet<string> = new Set(["invalid_input", "conflict", "illegal_move"]);

const hebrew: Problems = {
  unauthenticated: "המפתח אינו תקף או שבוטל. הזינו מפתח אחר.",
  sign_in_refused: "השם או הסיסמה שגויים, או שהמפתח אינו תקף.",
  bad_csrf: "הבקשה לא הגיעה מדף שלנו. טענו את הדף מחדש ונסו שוב.",
  bad_signature: "החתימה אינה מתאימה לחשבון ולכתובת.",
  bad_link: "הקישור פגום או שייך להקלטה אחרת.",
  link_expired: "תוקף הקישור פג. בקשו קישור חדש.",
  operator_only: "זה למפעיל בלבד. השתמשו במפתח של המפעיל.",
  scope_missing: "המפתח אינו רשאי לעשות זאת. השתמשו במפתח שהותר לו.",
  not_found: "אין דבר כזה, או שאינו שלכם.",
  absent: "הספק מודיע שדבר לא הוקלט. ההקלטה לא תגיע.",
  no_rendition: "צורות נוספות של ההקלטה כבויות כאן.",
  method_not_allowed: "הכתובת הזו אינה עונה לבקשה כזו.",
  too_slow: "הבקשה לא הגיעה בזמן. שלחו אותה שוב.",
  not_ready: "ההקלטה בדרך.",
  needs_retry: "ההבאה הופסקה. הפעילו אותה שוב.",
  conflict: "המצב אינו מאפשר זאת.",
  held: "יש עליה עיכוב משפטי. הסירו קודם את העיכוב, אם מותר לכם.",
  illegal_move: "המצב אינו מאפשר זאת.",
  purged: "ההקלטה נמחקה כאן. נותר רק הרישום שלה.",
  etag_differs: "זו כבר אינה אותה הקלטה.",
  too_large: "הבקשה גדולה מדי.",
  range_unsatisfiable: "אין חלק כזה בהקלטה.",
  invalid_input: "ערך אחד שגוי.",
  too_many_tries: "יותר מדי ניסיונות. המתינו ונסו שוב.",
  too_many_requests: "יותר מדי בקשות. המתינו ונסו שוב. ניגון לעולם אינו נדחה.",
  too_many_streams: "יותר מדי חיבורים פתוחים. סגרו חלק מהם.",
  unavailable: "חלק מהמערכת אינו עונה. דבר לא אבד. נסו שוב.",
  store_unavailable: "מסד הנתונים אינו עונה. דבר לא השתנה. נסו שוב.",
  scheduler_unavailable: "המתזמן אינו עונה. נסו שוב.",
  vault_unavailable: "הכספת אינה עונה. ההקלטה שמורה. נסו שוב.",
  internal: "callspool טעה. הפרטים ביומן; אנא דווחו.",
  unreachable: "אי אפשר להגיע לשרת. בדקו את החיבור ונסו שוב.",
  unexpected: "השרת ענה באופן לא צפוי. נסו שוב.",
};

const arabic: Problems = {
  unauthenticated: "المفتاح غير صالح أو أُلغي. أدخل مفتاحًا آخر.",
  sign_in_refused: "الاسم أو كلمة المرور خطأ، أو المفتاح غير صالح.",
  bad_csrf: "لم يأتِ الطلب من صفحة لنا. أعد تحميل الصفحة ثم حاول مجددًا.",
  bad_signature: "التوقيع لا يطابق الحساب والعنوان.",
  bad_link: "الرابط تالف أو لتسجيل آخر.",
  link_expired: "انتهت صلاحية الرابط. اطلب رابطًا جديدًا.",
  operator_only: "هذا للمشغّل فقط. استخدم مفتاح المشغّل.",
  scope_missing: "لا يُسمح للمفتاح بذلك. استخدم مفتاحًا يُسمح له.",
  not_found: "لا يوجد شيء كهذا، أو ليس لك.",
  absent: "يقول المزوّد إنه لم يُسجَّل شيء. لن يأتي التسجيل.",
  no_rendition: "الصيغ الأخرى للتسجيل معطّلة هنا.",
  method_not_allowed: "هذا العنوان لا يستجيب لطلب كهذا.",
  too_slow: "لم يصل الطلب في الوقت المناسب. أرسله مجددًا.",
  not_ready: "التسجيل في الطريق.",
  needs_retry: "توقّف جلبه. أعد تشغيله.",
  conflict: "حالته لا تسمح بذلك.",
  held: "عليه حجز قانوني. أزل الحجز أولًا إن كان مسموحًا لك.",
  illegal_move: "حالته لا تسمح بذلك.",
  purged: "حُذف التسجيل هنا. لم يبقَ إلا سجله.",
  etag_differs: "لم يعد التسجيل نفسه.",
  too_large: "الطلب كبير جدًا.",
  range_unsatisfiable: "لا يوجد جزء كهذا في التسجيل.",
  invalid_input: "إحدى القيم خطأ.",
  too_many_tries: "محاولات كثيرة جدًا. انتظر ثم حاول مجددًا.",
  too_many_requests: "طلبات كثيرة جدًا. انتظر ثم حاول مجددًا. التشغيل لا يُرفض أبدًا.",
  too_many_streams: "اتصالات مفتوحة كثيرة جدًا. أغلق بعضها.",
  unavailable: "جزء من النظام لا يستجيب. لم يُفقد شيء. حاول مجددًا.",
  store_unavailable: "قاعدة البيانات لا تستجيب. لم يتغير شيء. حاول مجددًا.",
  scheduler_unavailable: "المجدول لا يستجيب. حاول مجددًا.",
  vault_unavailable: "الخزنة لا تستجيب. التسجيل محفوظ. حاول مجددًا.",
  internal: "أخطأ callspool. التفاصيل في السجل؛ يرجى الإبلاغ.",
  unreachable: "لا يمكن الوصول إلى الخادم. تحقق من الاتصال ثم حاول مجددًا.",
  unexpected: "أجاب الخادم بشكل غير متوقع. حاول مجددًا.",
};

const TOLD: Partial<Record<Language, Problems>> = { he: hebrew, ar: arabic };

/** Returns what is wrong in the reader's language, or else as the server said it. */
export function problemSentence(problem: Problem): string {
  const said = TOLD[language()]?.[problem.code];
  if (said === undefined) return problem.sentence;
  return PARTICULAR.has(problem.code) ? `${said} \u2068${problem.sentence}\u2069` : said;
}

/** Returns what a recording waits for. What a newer server names is told in its own words. */
export function whyItWaits(why: Waiting): string {
  const words = new Words(language() === "en-XA" ? "en-XA" : (locale() ?? "en"));
  const obstacle = words.obstacle(why.obstacle) ?? (why.obstacle ? `\u2068${why.sentence}\u2069` : words.say("fromProvider"));
  return why.ahead === null ? obstacle : `${obstacle} ${words.place(why.ahead)}`;
}
