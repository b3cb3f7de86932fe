"""What befalls inputs without an enemy: noise, blur, weather, compression; mistakes in tables; untidy texts."""
