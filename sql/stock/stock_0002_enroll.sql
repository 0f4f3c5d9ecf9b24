-- Mode `at`: what plain SQL does to products under a global transaction can be undone.
SELECT settle.enroll('product');
