
"serve*
serving_default